package relay

import (
	"bytes"
	"errors"
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Removal takes a gateway out of an installation again.
type Removal struct {
	// Files are main.cf and master.cf without our part, byte for byte as they
	// were but for what was edited since outside of it.
	Files []File
	// Obsolete are the names of our own files and of what was compiled from them,
	// to be deleted where they exist, as in File.Name.
	Obsolete []string
	// Firewall takes the packet filter's table out of the kernel, and nothing
	// else: to be run where nftables/NAME.nft exists.
	Firewall Command
}

// Remove is the inverse of [Compile]: it needs the gateway's name and the
// configuration directory as it is now.
func Remove(gateway string, in Installation) (Removal, error) {
	var errs Errors
	if !gatewayName.MatchString(gateway) {
		errs.add("Gateway.Name", ErrInvalid, "the name that the policy has", "%q", gateway)
		return Removal{}, errs.Err()
	}
	n := newNames(gateway)
	var r Removal
	file := func(name string, edit func(src []byte) ([]byte, error)) {
		src, ok := in.Postfix[name]
		if !ok {
			errs.required(name, "read the whole configuration directory")
			return
		}
		out, err := edit(src)
		var l postfix.Errors
		switch {
		case errors.As(err, &l):
			for _, e := range l {
				errs.wrap(place{e.Name, e.Line}.String(), conflictOf(e.Err), "")
			}
		case err != nil:
			errs.wrap(name, err, "")
		default:
			r.Files = append(r.Files, File{Name: "postfix/" + name, Mode: 0o644, Data: out})
		}
	}
	file("main.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMain("main.cf", src)
		if err != nil {
			return nil, err
		}
		if err := m.Remove(n.owner); err != nil {
			return nil, err
		}
		return m.Format(), nil
	})
	file("master.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMaster("master.cf", src)
		if err != nil {
			return nil, err
		}
		if err := m.Remove(n.owner); err != nil {
			return nil, err
		}
		return m.Format(), nil
	})
	if len(errs) > 0 {
		return Removal{}, errs.Err()
	}
	for name, data := range in.Postfix {
		if bytes.HasPrefix(data, []byte("# "+n.managed())) {
			r.Obsolete = append(r.Obsolete, "postfix/"+name, "postfix/"+name+".db")
		}
	}
	r.Obsolete = append(r.Obsolete, "dovecot/99-"+gateway+".conf", "sieve/before/10-"+gateway+".sieve", "sieve/before/10-"+gateway+".svbin", n.firewallName(), n.balancerName())
	r.Firewall = n.firewallOff()
	slices.Sort(r.Obsolete)
	return r, nil
}
