package maillab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
)

// dial opens a client's connection.
func (r *runner) dial(d *net.Dialer, to string) (net.Conn, error) { return r.outside.dial(d, to) }

// loadRuleset installs and loads the packet filter's rules.
func (r *runner) loadRuleset() error {
	if r.task.Site.NFTables == nil {
		return nil
	}
	const name = "/etc/nftables.conf"
	if err := install(name, r.task.Site.NFTables); err != nil {
		return err
	}
	if out, err := exec.Command("nft", "-f", name).CombinedOutput(); err != nil {
		return fmt.Errorf("nft -f %s: %w\n%s", name, err, out)
	}
	return nil
}

// startHAProxy has haproxy check its configuration and starts it. It comes
// after Postfix, lest its health checks complain.
func (r *runner) startHAProxy() error {
	if r.task.Site.HAProxy == nil {
		return nil
	}
	const name = "/etc/haproxy/haproxy.cfg"
	if err := install(name, r.task.Site.HAProxy); err != nil {
		return err
	}
	for _, dir := range []string{"/run/haproxy", "/var/lib/haproxy"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	r.complain("haproxy -c", exec.Command("haproxy", "-c", "-q", "-f", name))
	// As a daemon it returns when everything listens.
	cmd := exec.Command("haproxy", "-D", "-q", "-p", "/run/haproxy.pid", "-f", name)
	out, err := os.CreateTemp("/run", "haproxy")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("haproxy -f %s: %w\n%s%s", name, err, said, r.logTail())
	}
	return nil
}
