package relay

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// conf is a server's Postfix configuration: its files, with those that are
// generated over them, the settings that they make, and the tables that they
// name, each read once.
type conf struct {
	directory string // of main.cf, on the server
	release   string
	nodename  string
	// stock are the server's files: those of the configuration directory by
	// their names there, others by their paths. emitted are the generated ones
	// that replace them, as traces call them.
	stock, emitted map[string][]byte
	// given answers for a table that is not among them; nil: nothing is known.
	given func(postfix.MapSpec) postfix.Map

	main   *postfix.Main
	master *postfix.Master
	base   settings // the installation's own, before anything is generated

	sources map[postfix.MapSpec]source
	checks  map[string]checkFile // header checks tables by file name
	// markers are evaluations of header checks by the table as it is named.
	markers map[string]checkFile
	cidrs   map[string]postfix.CIDRTable // cidr: tables by file name

	// tell is told what can't be read or judged here, with the place.
	tell func(place, format string, args ...any)
}

// settingsOf are main.cf's as all services see them.
func (c *conf) settingsOf(main *postfix.Main) settings {
	return settings{Settings: postfix.Settings{
		Main: main, Release: c.release, ConfigDirectory: c.directory, Hostname: c.nodename, ReadFile: c.readFile,
	}}
}

// readFile reads a file of the server by its absolute path.
func (c *conf) readFile(path string) ([]byte, error) {
	if name, ok := c.fileName(path); ok {
		if text, ok := c.file(name); ok {
			return text, nil
		}
	}
	return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
}

// at is where main.cf sets a parameter, for messages.
func (c *conf) at(name string) string {
	if line := c.main.Line(name); line > 0 {
		return fmt.Sprintf("main.cf:%d", line)
	}
	return "main.cf: " + name
}

// placeOf is where the parameter is set.
func (c *conf) placeOf(s settings, name string) place {
	for _, o := range s.Options {
		if o.Name == name {
			return place{masterFile, s.line}
		}
	}
	if line := c.main.Line(name); line > 0 {
		return place{mainFile, line}
	}
	return place{name, 0}
}

// fileName maps a path of the server to a name in stock; false: a file outside
// of the configuration directory that isn't there.
func (c *conf) fileName(p string) (string, bool) {
	p = path.Clean(p)
	if name, ok := strings.CutPrefix(p, c.directory+"/"); ok {
		return name, true
	}
	_, ok := c.stock[p]
	return p, ok
}

// file returns a table's text: the generated one, else the installation's.
func (c *conf) file(name string) ([]byte, bool) {
	if f, ok := c.emitted["postfix/"+name]; ok {
		return f, true
	}
	f, ok := c.stock[name]
	return f, ok
}

// label is what traces call a file of stock.
func label(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return "postfix/" + name
}

func (c *conf) tableWarnings(ws []postfix.Warning) {
	for _, w := range ws {
		c.tell(fmt.Sprintf("%s:%d", w.Name, w.Line), "%s", w.Text)
	}
}

// networks reads mynetworks; opaque are its elements that can't be known here.
func (c *conf) networks(s settings) (nets []netip.Prefix, opaque []string) {
	if !s.set("mynetworks") {
		// mynetworks_style depends on the machine's interfaces; the loopback
		// network is in every style.
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, []string{"mynetworks_style"}
	}
	for _, e := range list(s.get("mynetworks")) {
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
