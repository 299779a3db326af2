package maillab

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// asked are the parameters that a run needs the values of.
var asked = []string{"queue_directory", "data_directory", "mail_owner", "setgid_group", "daemon_directory"}

// known are the defaults found out so far, by root.
var known sync.Map

// versions asks the programs of a root; what doesn't answer is "".
func versions(root string) defaults {
	if v, ok := known.Load(root); ok {
		return v.(defaults)
	}
	ask := func(program string, arguments ...string) string {
		cmd := exec.Command(program, arguments...)
		cmd.Dir = "/"
		if root != "" {
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		}
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	d := defaults{Settings: map[string]string{}}
	lines := strings.Split(ask("/usr/sbin/postconf", append([]string{"-dhx", "mail_version"}, asked...)...), "\n")
	d.Postfix = lines[0]
	for i, line := range lines[1:] {
		d.Settings[asked[i]] = line
	}
	d.Dovecot = ask("/usr/sbin/dovecot", "--version")
	known.Store(root, d)
	return d
}
