package relay

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// ReadServer reads an installation from the root of a server's files
// (os.DirFS("/")): its configuration directory, empty for /etc/postfix, and of the
// rest only what main.cf and master.cf name there and Route can follow: tables as
// text, lists of domains and networks, and myorigin's file. Files that aren't there
// or may not be read, keys, passwords, and the configurations of databases are
// left out.
func ReadServer(root fs.FS, configDirectory string) (Installation, error) {
	if root == nil {
		return Installation{}, fmt.Errorf("ReadServer: root: %w", ErrRequired)
	}
	dir := cmp.Or(configDirectory, policy.DefaultConfigDir)
	sub, err := fs.Sub(root, strings.TrimPrefix(path.Clean(dir), "/"))
	if err != nil {
		return Installation{}, err
	}
	in, err := ReadInstallation(sub, path.Clean(dir))
	if err != nil {
		return in, err
	}
	main, err := postfix.ParseMain("main.cf", in.Files[path.Join(in.ConfigDirectory, "main.cf")])
	if err != nil {
		return in, nil // Compile says what is wrong
	}
	s := postfix.Settings{Main: main, Release: release.LastPostfix.String(), ConfigDirectory: in.ConfigDirectory}
	var wanted []string
	named := func(s postfix.Settings, name string) {
		if strings.Contains(name, "password") || strings.HasSuffix(name, "_key_file") {
			return
		}
		if value, err := s.Get(name); err == nil {
			wanted = append(wanted, filesIn(name, value)...)
		} else if raw, ok := s.Lookup(name); ok {
			wanted = append(wanted, filesIn(name, raw)...) // $mydomain without the system's name, say
		}
	}
	for _, name := range []string{"alias_maps", "local_recipient_maps"} {
		named(s, name)
	}
	for _, p := range main.Params() {
		named(s, p.Name)
	}
	if master, err := postfix.ParseMaster("master.cf", in.Files[path.Join(in.ConfigDirectory, "master.cf")]); err == nil {
		for _, sv := range master.Services() {
			for _, o := range sv.Options {
				named(s.Of(sv), o.Name)
			}
		}
	}
	for _, name := range wanted {
		if _, have := in.Files[name]; have || name == "/" {
			continue
		}
		inside := strings.TrimPrefix(name, "/")
		info, err := fs.Stat(root, inside)
		switch {
		case err != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
			continue
		case err != nil:
			return in, err
		case !info.Mode().IsRegular():
			continue
		case info.Size() > maxInstallation:
			return in, fmt.Errorf("%s: %d bytes are more than a configuration file has", name, info.Size())
		}
		text, err := fs.ReadFile(root, inside)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return in, err
		}
		in.Files[name] = text
	}
	return in, nil
}

// fileLists are the parameters in which a path alone is a list in a file.
var fileLists = []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains", "mynetworks", "myorigin",
	"masquerade_exceptions"}

// filesIn are the files of text that a value names, as absolute paths.
func filesIn(name, value string) (out []string) {
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\r\n{}!", r) })
	for _, w := range words {
		kind, file := "", w
		if i := strings.LastIndexByte(w, ':'); i >= 0 {
			kind, file = w[:i], w[i+1:]
			kind = kind[strings.LastIndexByte(kind, ':')+1:] // behind proxy:
		}
		if !strings.HasPrefix(file, "/") {
			continue
		}
		if kind == "" && slices.Contains(fileLists, name) || mta.Indexed(kind) || kind == "regexp" || kind == "pcre" ||
			kind == "cidr" {
			out = append(out, path.Clean(file))
		}
	}
	return out
}
