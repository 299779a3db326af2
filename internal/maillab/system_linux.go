package maillab

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// known are the versions found out so far, by root.
var known sync.Map

// versions asks the programs of a root for their versions; what doesn't answer
// is "".
func versions(root string) (postfix, dovecot string) {
	if v, ok := known.Load(root); ok {
		found := v.([2]string)
		return found[0], found[1]
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
	postfix = ask("/usr/sbin/postconf", "-dh", "mail_version")
	dovecot = ask("/usr/sbin/dovecot", "--version")
	known.Store(root, [2]string{postfix, dovecot})
	return postfix, dovecot
}
