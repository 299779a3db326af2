package mta

import "github.com/oxmailroute/oxmailroute/postfix"

// HeaderChecks reads the tables of a header_checks value. A table that can't be
// read here is told ([Configuration].Warn) and left out.
func (c *Configuration) HeaderChecks(value string) []CheckFile {
	if c == nil {
		c = new(Configuration)
	}
	return c.checkFiles(value, "", postfix.ParseCheckTable)
}

// bodyList does the same for body_checks.
func (c *Configuration) bodyList(value string) []CheckFile {
	return c.checkFiles(value, "body ", postfix.ParseBodyTable)
}

// checkFiles reads tables; kind keeps apart what one file says of headers and
// of bodies.
func (c *Configuration) checkFiles(
	value, kind string, parse func(name, kind string, src []byte) (postfix.CheckTable, []postfix.Warning),
) []CheckFile {
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil
	}
	var l []CheckFile
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
			c.warn("main.cf", "%s:%s can't be read here; Route leaves these checks out", spec.Type, spec.Name)
			continue
		}
		t, warnings := parse(file, spec.Type, text)
		c.tableWarnings(warnings)
		checks, err := t.Compile()
		if err != nil {
			c.warn(file, "%v; Route leaves these checks out", err)
			continue
		}
		f := CheckFile{File: c.named(file), Checks: checks}
		if file == spec.String() {
			f.File = file // and the number of the rule
		}
		c.SetChecks(kind+file, f)
		l = append(l, f)
	}
	return l
}

// checkText is a table's text: of a file of the installation's, or what stands in
// the setting itself, whose name is the table.
func (c *Configuration) checkText(spec postfix.MapSpec) (name string, inside bool, text []byte, ok bool) {
	if text, inline, err := spec.InlineRules(); inline {
		return spec.String(), true, text, err == nil
	}
	name, inside = c.FileName(spec.Name)
	text, ok = c.stock(name)
	return name, inside, text, ok
}

// unread names the tables of a value that checkFiles leaves out, in full or in
// part.
func (c *Configuration) unread(value string) []string {
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
		if _, ours := c.Generated[c.label()+file]; inside && ours {
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
