package mta

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// Configuration is what a server's Postfix reads: its files, with generated ones
// over them, the settings that they make, and the tables that they name, each of
// which is read once. Its fields are set before it is used; it is not safe for
// concurrent use.
type Configuration struct {
	// Directory is the directory of main.cf on the server; empty: /etc/postfix.
	Directory string
	// Label is what answers write before the names of that directory's files;
	// empty: the directory and a slash.
	Label string
	// Release is Postfix's version ("3.7", "3.10.13"); empty: the oldest known.
	Release string
	// Defaults are the parameters' defaults, see [postfix.Settings].
	Defaults map[string]string
	// Hostname is the system's name (uname -n).
	Hostname string
	// Main and Master are main.cf and master.cf, as they count in the end.
	Main   *postfix.Main
	Master *postfix.Master
	// Files are the server's files: those of Directory by their names there,
	// others by their absolute paths.
	Files map[string][]byte
	// Generated are files that replace those of Directory, by their names with
	// Label.
	Generated map[string][]byte
	// Given answers for a table that is not among the files; nil, and a nil that
	// it returns, is one that isn't known.
	Given func(postfix.MapSpec) postfix.Map
	// Read reads a file of the server by its absolute path that Files doesn't have;
	// nil: there are none.
	Read func(path string) ([]byte, error)
	// Warn is told what can't be read or judged here, with the place; nil: nobody
	// is.
	Warn func(place, text string)

	// compiled is told of an indexed table that is read.
	compiled func(postfix.MapSpec)

	sources map[postfix.MapSpec]Source
	checks  map[string]CheckFile // header checks tables by file name
	// markers are evaluations of header checks by the table as it is named.
	markers map[string]CheckFile
	cidrs   map[string]postfix.CIDRTable // cidr: tables by file name
	postalias
}

// postalias are the tables of alias_maps, once they were asked for.
type postalias struct {
	aliasMaps []postfix.MapSpec
	read      bool
}

// Source is a table with the file name that answers give.
type Source struct {
	File  string
	Table postfix.Map
}

// Checker answers for the fields of a header as a table of header checks does.
type Checker interface {
	Lookup(headers.Field) (postfix.CheckHit, bool)
}

// CheckFile is a table of header checks with the file name that answers give.
type CheckFile struct {
	File   string
	Checks Checker
	Above  int // lines of the file above the table
}

func (f CheckFile) at(hit postfix.CheckHit) place { return place{f.File, f.Above + hit.Line} }

// SetTable makes a table in memory answer for one that the configuration names:
// it is not read. A table that is set before its file was read keeps what its
// rows know beside their text ([postfix.Entry.Rule]).
func (c *Configuration) SetTable(spec postfix.MapSpec, s Source) {
	if c == nil {
		c = new(Configuration)
	}
	if c.sources == nil {
		c.sources = map[postfix.MapSpec]Source{}
	}
	c.sources[spec] = s
}

// SetChecks does the same for header checks in a file of Directory, by its name
// there.
func (c *Configuration) SetChecks(file string, f CheckFile) {
	if c == nil {
		c = new(Configuration)
	}
	if c.checks == nil {
		c.checks = map[string]CheckFile{}
	}
	c.checks[file] = f
}

// SetCheckMap does it for header checks by the table as the setting names it
// ("pipemap:{regexp:/x,hash:/y}").
func (c *Configuration) SetCheckMap(name string, f CheckFile) {
	if c == nil {
		c = new(Configuration)
	}
	if c.markers == nil {
		c.markers = map[string]CheckFile{}
	}
	c.markers[name] = f
}

// SetCIDR does it for a cidr: table in a file of Directory, by its name there.
func (c *Configuration) SetCIDR(file string, t postfix.CIDRTable) {
	if c == nil {
		c = new(Configuration)
	}
	if c.cidrs == nil {
		c.cidrs = map[string]postfix.CIDRTable{}
	}
	c.cidrs[file] = t
}

// Clone is a configuration with what has been read so far: what is set in one of
// the two afterwards, the other doesn't have.
func (c *Configuration) Clone() *Configuration {
	if c == nil {
		c = new(Configuration)
	}
	out := *c
	out.sources, out.checks, out.markers, out.cidrs = maps.Clone(c.sources), maps.Clone(c.checks), maps.Clone(c.markers), maps.Clone(c.cidrs)
	return &out
}

func (c *Configuration) warn(at, format string, args ...any) {
	if c.Warn != nil {
		c.Warn(at, fmt.Sprintf(format, args...))
	}
}

func (c *Configuration) directory() string { return cmp.Or(c.Directory, "/etc/postfix") }

func (c *Configuration) label() string { return cmp.Or(c.Label, c.directory()+"/") }

// Settings are main.cf's as all services see them.
func (c *Configuration) Settings() Settings {
	if c == nil {
		c = new(Configuration)
	}
	return Settings{Settings: postfix.Settings{
		Main: c.Main, Release: c.Release, Defaults: c.Defaults, ConfigDirectory: c.directory(), Hostname: c.Hostname, ReadFile: c.readFile,
	}}
}

// readFile reads a file of the server by its absolute path.
func (c *Configuration) readFile(path string) ([]byte, error) {
	if name, ok := c.FileName(path); ok {
		if text, ok := c.file(name); ok {
			return text, nil
		}
	}
	return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
}

// line is where main.cf sets a parameter; 0: nowhere.
func (c *Configuration) line(name string) int {
	if c.Main == nil {
		return 0
	}
	return c.Main.Line(name)
}

// At is where main.cf sets a parameter, for messages: "main.cf:3", or
// "main.cf: name" where it doesn't.
func (c *Configuration) At(name string) string {
	if c == nil {
		c = new(Configuration)
	}
	if line := c.line(name); line > 0 {
		return fmt.Sprintf("main.cf:%d", line)
	}
	return "main.cf: " + name
}

// placeOf is where the parameter is set.
func (c *Configuration) placeOf(s Settings, name string) place {
	for _, o := range s.Options {
		if o.Name == name {
			return place{c.label() + "master.cf", s.line}
		}
	}
	if line := c.line(name); line > 0 {
		return place{c.label() + "main.cf", line}
	}
	return place{name, 0}
}

// FileName maps a path of the server to a name in Files; false: a file outside
// of Directory that isn't there.
func (c *Configuration) FileName(p string) (string, bool) {
	if c == nil {
		c = new(Configuration)
	}
	p = path.Clean(p)
	if name, ok := strings.CutPrefix(p, c.directory()+"/"); ok {
		return name, true
	}
	_, ok := c.stock(p)
	return p, ok
}

// stock is the text of a file by its name in Files.
func (c *Configuration) stock(name string) ([]byte, bool) {
	text, ok := c.Files[name]
	if ok || c.Read == nil {
		return text, ok
	}
	at := name
	if !strings.HasPrefix(at, "/") {
		at = c.directory() + "/" + name
	}
	text, err := c.Read(at)
	if err != nil {
		return nil, false
	}
	if c.Files == nil {
		c.Files = map[string][]byte{}
	}
	c.Files[name] = text
	return text, true
}

// file returns a table's text: the generated one, else the installation's.
func (c *Configuration) file(name string) ([]byte, bool) {
	if f, ok := c.Generated[c.label()+name]; ok {
		return f, true
	}
	return c.stock(name)
}

// named is what answers call a file of Files.
func (c *Configuration) named(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return c.label() + name
}

func (c *Configuration) tableWarnings(ws []postfix.Warning) {
	for _, w := range ws {
		c.warn(fmt.Sprintf("%s:%d", w.File, w.Line), "%s", w.Text)
	}
}

// Maps reads a list of tables; opaque are those that can't be read here.
func (c *Configuration) Maps(value string) (known []Source, opaque []string) {
	if c == nil {
		c = new(Configuration)
	}
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil, []string{value}
	}
	for _, spec := range specs {
		if src, ok := c.Table(spec); ok {
			known = append(known, src)
		} else {
			opaque = append(opaque, spec.Type+":"+spec.Name)
		}
	}
	return known, opaque
}

// Networks reads mynetworks as a service sees it; opaque are its elements that
// can't be known here. Where nothing sets it, the loopback network is known, and
// mynetworks_style is not.
func (c *Configuration) Networks(s Settings) (nets []netip.Prefix, opaque []string) {
	if c == nil {
		c = new(Configuration)
	}
	if !s.Set("mynetworks") {
		// mynetworks_style depends on the machine's interfaces; the loopback
		// network is in every style.
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, []string{"mynetworks_style"}
	}
	for _, e := range list(s.Value("mynetworks")) {
		e = strings.NewReplacer("[", "", "]", "").Replace(e)
		if p, err := netip.ParsePrefix(e); err == nil {
			nets = append(nets, p.Masked())
		} else if a, err := netip.ParseAddr(e); err == nil {
			nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
		} else {
			opaque = append(opaque, e)
		}
	}
	return nets, opaque
}
