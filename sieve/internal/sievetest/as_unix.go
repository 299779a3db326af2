//go:build unix

package sievetest

import (
	"os/exec"
	"syscall"
)

// as lets a command run as a user, below another root where one is named.
func as(cmd *exec.Cmd, uid, gid int, root string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Chroot: root}
}
