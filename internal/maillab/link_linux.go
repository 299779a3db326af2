package maillab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// outside is the other end of eth0: a network namespace in which every address
// but those of the machine under test is local. nil is a run without eth0.
type outside struct {
	machine, world int // namespaces, as file descriptors
}

// splitInterfaces tells the loopback addresses from those of eth0.
func splitInterfaces(addresses []string) (loopback, external []netip.Addr, err error) {
	for _, a := range addresses {
		ip, err := netip.ParseAddr(a)
		if err != nil || ip.Zone() != "" {
			return nil, nil, fmt.Errorf("interface address %q: want IPv4 or IPv6", a)
		}
		if ip.IsLoopback() {
			loopback = append(loopback, ip)
		} else {
			external = append(external, ip)
		}
	}
	return loopback, external, nil
}

// newOutside makes eth0 with the addresses and what is at its other end; nil
// where there are none.
func newOutside(addresses []netip.Addr) (*outside, error) {
	if len(addresses) == 0 {
		return nil, nil
	}
	machine, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	o := &outside{machine: machine}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	o.world, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// The new namespace's, since this thread is in it. Nobody has these
	// addresses, they are only routed here.
	for _, family := range []string{"ipv4", "ipv6"} {
		if err := os.WriteFile("/proc/sys/net/"+family+"/ip_nonlocal_bind", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	if err := unix.Setns(machine, unix.CLONE_NEWNET); err != nil {
		return nil, err // and this thread dies with its goroutine
	}
	runtime.UnlockOSThread()

	var near, far strings.Builder
	fmt.Fprintf(&near, "link add eth0 type veth peer name world\nlink set world netns /proc/1/fd/%d\n", o.world)
	near.WriteString("link set eth0 up\naddr add fe80::1/64 dev eth0 nodad\n")
	far.WriteString("link set lo up\nlink set world up\naddr add fe80::2/64 dev world nodad\n")
	far.WriteString("route add local 0.0.0.0/0 dev lo table main\nroute add local ::/0 dev lo table main\n")
	var four, six bool
	for _, a := range addresses {
		if a.Is4() {
			fmt.Fprintf(&near, "addr add %s/32 dev eth0\n", a)
			if !four {
				fmt.Fprintf(&near, "route add default dev eth0 src %s\n", a)
			}
			fmt.Fprintf(&far, "route add %s/32 dev world\n", a)
			four = true
			continue
		}
		fmt.Fprintf(&near, "addr add %s/128 dev eth0 nodad\n", a)
		if !six {
			fmt.Fprintf(&near, "route add ::/0 via fe80::2 dev eth0 src %s\n", a)
		}
		fmt.Fprintf(&far, "route add %s/128 via fe80::1 dev world\n", a)
		six = true
	}
	if err := ip(near.String()); err != nil {
		return nil, err
	}
	return o, o.in(func() error { return ip(far.String()) })
}

// ip has ip(8) execute the commands in the thread's namespace.
func ip(commands string) error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w\n%s%s", err, out, commands)
	}
	return nil
}

// in calls f with the thread in the outer namespace: sockets that f opens are
// there.
func (o *outside) in(f func() error) error {
	runtime.LockOSThread()
	if err := unix.Setns(o.world, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err := f()
	if back := unix.Setns(o.machine, unix.CLONE_NEWNET); back != nil {
		return back // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// listen listens at the address where it belongs.
func (o *outside) listen(address string) (l net.Listener, err error) {
	open := func() error {
		l, err = net.Listen("tcp", address)
		return err
	}
	if o == nil || isLoopback(address) {
		return l, open()
	}
	return l, o.in(open)
}

// dial connects from the dialer's local address.
func (o *outside) dial(d *net.Dialer, to string) (conn net.Conn, err error) {
	open := func() error {
		conn, err = d.Dial("tcp", to)
		return err
	}
	if o == nil || d.LocalAddr == nil || isLoopback(d.LocalAddr.String()) {
		return conn, open()
	}
	return conn, o.in(open)
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsLoopback()
}

// enterRoot makes the file system in root that of this process, with the /dev,
// /proc and /tmp that the process has. Nothing is written there: what is
// written later, privateTree covers.
func enterRoot(root, scratch string) error {
	if err := tmpfs(scratch); err != nil {
		return err
	}
	view := scratch + "/root"
	if err := os.Mkdir(view, 0o755); err != nil {
		return err
	}
	for _, m := range []struct {
		from, to string
		flags    uintptr
	}{
		{root, view, syscall.MS_BIND},
		{"/dev", view + "/dev", syscall.MS_BIND | syscall.MS_REC},
		{"/proc", view + "/proc", syscall.MS_BIND | syscall.MS_REC},
		{"/tmp", view + "/tmp", syscall.MS_BIND},
	} {
		if err := syscall.Mount(m.from, m.to, "", m.flags, ""); err != nil {
			return fmt.Errorf("bind %s in %s: %w", m.from, root, err)
		}
	}
	if err := syscall.Chroot(view); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return os.Chdir("/")
}
