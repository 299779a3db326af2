package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/mailstore"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
)

// anyServer is a server that is asked as it is, without a policy.
type anyServer struct {
	dir, root, sieve, release, defaults, login string
	origin, client, tls                        string
	doveconf                                   optional
}

func (a *anyServer) flags(fs *flag.FlagSet) {
	fs.StringVar(&a.dir, "dir", "", "asks the Postfix of a configuration `directory` as it is, without a policy: /etc/postfix")
	fs.StringVar(&a.root, "root", "/", "the `directory` that is the server's root, where its files are a copy; for -dir")
	fs.StringVar(&a.sieve, "sieve", "",
		"the `directory` of the mailboxes' scripts, MAILBOX.sieve, in place of the paths of -doveconf; for -dir")
	fs.StringVar(&a.release, "release", "", "Postfix's `version`; for -dir")
	fs.StringVar(&a.defaults, "defaults", "", "a `file` with the output of postconf -d, which says the version, too; for -dir")
	fs.StringVar(&a.login, "login", "", "the `name` that the client has logged in with; for -dir")
}

// given reports whether a flag is on the command line.
func given(fs *flag.FlagSet, name string) (yes bool) {
	fs.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// route loads the server and asks it.
func (a *anyServer) route(from string, to []string, raw []byte, stdout, stderr io.Writer) error {
	root := fs.FS(os.DirFS(a.root))
	o := mta.Options{ConfigDirectory: path.Join("/", filepath.ToSlash(a.dir)), Release: a.release, Users: users(root)}
	if name, err := fs.ReadFile(root, "etc/hostname"); err == nil {
		o.Hostname = strings.TrimSpace(string(name))
	}
	var err error
	if a.defaults != "" {
		if o.Defaults, err = os.ReadFile(a.defaults); err != nil {
			return err
		}
	}
	if a.doveconf.set {
		text, err := os.ReadFile(a.doveconf.value)
		if err != nil {
			return err
		}
		store := &mailstore.Store{Config: dovecot.Read(text), Root: root}
		if a.sieve != "" {
			dir, err := filepath.Abs(a.sieve)
			if err != nil {
				return err
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				return fmt.Errorf("-sieve: %s is no directory", a.sieve)
			}
			dir = filepath.ToSlash(dir)
			store.Root = mounted{root, dir}
			store.Personal = func(mailbox string) string { return path.Join(dir, path.Base(mailbox)+".sieve") }
		}
		store.Options(&o)
	} else if a.sieve != "" {
		return fmt.Errorf("-sieve needs -doveconf")
	}
	server, err := mta.Load(root, o)
	if err != nil {
		return err
	}
	m := mta.Message{From: from, Raw: raw}
	if m.Origin, err = a.where(server); err != nil {
		return err
	}
	return answerAll(to, stdout, stderr, func(recipient string) relay.Decision {
		m.To = recipient
		return server.Route(context.Background(), &m)
	})
}

// where is where the message enters.
func (a *anyServer) where(server *mta.Instance) (mta.Origin, error) {
	if services := server.Services(); !slices.Contains(services, a.origin) {
		return mta.Origin{}, fmt.Errorf("-origin %q: there are %s", a.origin, strings.Join(services, ", "))
	}
	o := relay.Origin{Client: netip.AddrFrom4([4]byte{192, 0, 2, 1})}
	if a.tls != "" {
		if err := o.SetTLS(a.tls); err != nil {
			return mta.Origin{}, fmt.Errorf("-tls: %w", err)
		}
	}
	if a.client != "" {
		client, err := netip.ParseAddr(a.client)
		if err != nil {
			return mta.Origin{}, fmt.Errorf("-client: %w", err)
		}
		o.Client = client
	}
	return mta.Origin{
		Service: a.origin, Client: o.Client, TLS: o.TLS, Certificate: o.Certificate, Authenticated: a.login != "", Login: a.login,
	}, nil
}

// users are those of passwd(5); nil where others may exist, too (nsswitch.conf(5)).
func users(root fs.FS) map[string]bool {
	text, err := fs.ReadFile(root, "etc/passwd")
	if err != nil {
		return nil
	}
	if order, err := fs.ReadFile(root, "etc/nsswitch.conf"); err == nil {
		for line := range strings.Lines(string(order)) {
			line, _, _ = strings.Cut(line, "#")
			name, sources, _ := strings.Cut(line, ":")
			if strings.TrimSpace(name) != "passwd" {
				continue
			}
			for _, s := range strings.Fields(sources) {
				if s != "files" && s != "compat" && s != "systemd" {
					return nil
				}
			}
		}
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			all[name] = true
		}
	}
	return all
}

// mounted is a file system with a directory of this machine at its own path.
type mounted struct {
	fs.FS
	dir string
}

// Open opens a file of either.
func (m mounted) Open(name string) (fs.File, error) {
	if rest, ok := strings.CutPrefix(name, strings.TrimPrefix(m.dir, "/")+"/"); ok {
		return os.DirFS(m.dir).Open(rest)
	}
	return m.FS.Open(name)
}
