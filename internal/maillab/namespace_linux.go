package maillab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// enter makes the new mount namespace private to this process and mounts its
// own /proc, so that nothing later is seen outside.
func enter() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// probe tries what a run needs of the kernel.
func probe(t task) error {
	if err := enter(); err != nil {
		return err
	}
	if err := tmpfs(t.Scratch); err != nil {
		return err
	}
	return loopback([]netip.Addr{netip.MustParseAddr("127.0.1.1")})
}

func tmpfs(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	return nil
}

// loopback brings lo up and gives it the addresses, each as an alias with a
// mask of its own.
func loopback(addresses []netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("lo up: %w", err)
	}
	for i, ip := range addresses {
		if !ip.Is4() {
			continue // ::1 is there
		}
		alias, err := unix.NewIfreq(fmt.Sprintf("lo:%d", i+1))
		if err != nil {
			return err
		}
		for _, step := range []struct {
			request uint
			value   []byte
		}{{unix.SIOCSIFADDR, ip.AsSlice()}, {unix.SIOCSIFNETMASK, []byte{255, 255, 255, 255}}} {
			if err := alias.SetInet4Addr(step.value); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(fd, step.request, alias); err != nil {
				return fmt.Errorf("address %s: %w", ip, err)
			}
		}
	}
	return nil
}

// privateTree covers everything of the machine that the mail programs read or
// write: /etc by an overlay; /dev, /run and the variable directories by empty file
// systems. The rest is read-only, but for /tmp, where a test may have programs
// for the run.
func privateTree(scratch string) error {
	if err := tmpfs(scratch); err != nil {
		return err
	}
	if err := privateEtc(scratch); err != nil {
		return err
	}
	for _, dir := range []string{"/var/spool", "/var/lib", "/var/log", "/var/mail", "/run"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := tmpfs(dir); err != nil {
			return err
		}
	}
	if err := privateDev(filepath.Join(scratch, "dev")); err != nil {
		return err
	}
	if err := syscall.Mount("/tmp", "/tmp", "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("bind /tmp: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("read-only root: %w", err)
	}
	return nil
}

// privateEtc lays a writable layer over /etc, or a copy where the kernel has no
// overlays: copying costs more than all the rest of the tree.
func privateEtc(scratch string) error {
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if syscall.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+upper+",workdir="+work) == nil {
		return nil
	}
	etc := filepath.Join(scratch, "etc")
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copy of /etc: %w\n%s", err, out)
	}
	if err := syscall.Mount(etc, "/etc", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /etc: %w", err)
	}
	return nil
}

// privateDev replaces /dev by one with the harmless devices only, so that
// /dev/log can be another.
func privateDev(dev string) error {
	if err := os.Mkdir(dev, 0o755); err != nil {
		return err
	}
	if err := tmpfs(dev); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		target := filepath.Join(dev, name)
		if _, err := os.Stat("/dev/" + name); err != nil {
			continue
		}
		if err := os.WriteFile(target, nil, 0o644); err != nil {
			return err
		}
		if err := syscall.Mount("/dev/"+name, target, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", name, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dev, "shm"), 0o1777); err != nil {
		return err
	}
	for name, target := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := syscall.Mount(dev, "/dev", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /dev: %w", err)
	}
	return nil
}

// furnish writes the machine's own files for the world: names, resolver,
// certificates.
func furnish(w *World, keys map[string]KeyPair) error {
	listener, _, err := net.SplitHostPort(w.Listener)
	if err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	short, _, _ := strings.Cut(w.Host, ".")
	files := map[string]string{
		"/etc/resolv.conf":   "nameserver " + w.Resolver + "\noptions trust-ad\n",
		"/etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n" + listener + " " + w.Host + " " + short + "\n",
		"/etc/hostname":      w.Host + "\n",
		"/etc/mailname":      w.Host + "\n",
		"/etc/aliases":       "postmaster: root\nroot: /dev/null\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
	}
	for name, pair := range keys {
		files[path.Join(CertificateDir, name+".pem")] = string(pair.Certificate)
		files[path.Join(CertificateDir, name+".key")] = string(pair.Key)
	}
	files["/etc/ssl/certs/ca-certificates.crt"] = string(keys["ca"].Certificate)
	files["/etc/ssl/cert.pem"] = string(keys["ca"].Certificate)
	for name, text := range files {
		if err := install(name, []byte(text)); err != nil {
			return err
		}
	}
	return syscall.Sethostname([]byte(w.Host))
}

// install writes a file that everybody may read, instead of whatever is there.
// It looks old: Postfix waits for two seconds before it trusts a main.cf that
// was just changed.
func install(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	old := time.Now().Add(-time.Minute)
	return os.Chtimes(name, old, old)
}
