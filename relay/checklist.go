package relay

import "github.com/oxmailroute/oxmailroute/postfix"

// checkList reads the tables of a header_checks value. A table that can't be
// read here is reported and left out.
func (c *conf) checkList(value string) []checkFile {
	return c.checkFiles(value, "", postfix.ParseCheckTable)
}

// bodyList does the same for body_checks.
func (c *conf) bodyList(value string) []checkFile {
	return c.checkFiles(value, "body ", postfix.ParseBodyTable)
}

// checkFiles reads tables; kind keeps apart what one file says of headers and
// of bodies.
func (c *conf) checkFiles(
	value, kind string, parse func(name, kind string, src []byte) (postfix.CheckTable, []postfix.Warning),
) []checkFile {
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil
	}
	var l []checkFile
	for _, spec := range specs {
		if f, ok := c.markers[spec.Type+":"+spec.Name]; ok {
			l = append(l, f)
			continue
		}
		file, inside, text, ok := c.checkText(spec)
		if f, ok := c.checks[kind+file]; inside && ok {
			l = append(l, f)
			continue
		}
		if !inside || !ok || spec.Type != "regexp" && spec.Type != "pcre" {
			c.tell("main.cf", "%s:%s can't be read here; Route leaves these checks out", spec.Type, spec.Name)
			continue
		}
		t, warnings := parse(file, spec.Type, text)
		c.tableWarnings(warnings)
		checks, err := t.Compile()
		if err != nil {
			c.tell(file, "%v; Route leaves these checks out", err)
			continue
		}
		f := checkFile{file: label(file), checks: checks}
		if file == spec.String() {
			f.file = file // and the number of the rule
		}
		c.checks[kind+file] = f
		l = append(l, f)
	}
	return l
}

// checkText is a table's text: of a file of the installation's, or what stands in
// the setting itself, whose name is the table.
func (c *conf) checkText(spec postfix.MapSpec) (name string, inside bool, text []byte, ok bool) {
	if text, inline, err := spec.InlineRules(); inline {
		return spec.String(), true, text, err == nil
	}
	name, inside = c.fileName(spec.Name)
	text, ok = c.stock[name]
	return name, inside, text, ok
}

// unread names the tables of a value that checkFiles leaves out, in full or in
// part.
func (c *conf) unread(value string) []string {
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil
	}
	var out []string
	for _, spec := range specs {
		if _, ok := c.markers[spec.String()]; ok {
			continue
		}
		file, inside, text, ok := c.checkText(spec)
		if _, ours := c.emitted["postfix/"+file]; inside && ours {
			continue
		}
		if !inside || !ok || spec.Type != "regexp" && spec.Type != "pcre" {
			out = append(out, spec.String())
			continue
		}
		_, warnings := postfix.ParseCheckTable(file, spec.Type, text)
		for _, w := range warnings {
			if w.Unevaluated {
				out = append(out, spec.String())
				break
			}
		}
	}
	return out
}
