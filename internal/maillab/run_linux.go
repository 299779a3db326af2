package maillab

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// childVariable is the environment variable by which a process knows that it is
// the inner part of a run; its value is "run" or "probe".
const childVariable = "MAILLAB_CHILD"

// task is what the outer part hands to the inner one. It travels as gob, which
// keeps every octet of a string.
type task struct {
	World    World
	Site     Site
	Messages []Message
	Check    bool // "postfix check" runs, too
	Script   bool // by "postfix start", not by master(8) itself
	Defaults defaults
	Scratch  string // an empty directory to mount on
	Deadline time.Time
}

// answer is what the inner part hands back.
type answer struct {
	Result Result
	Err    string
}

// programs are those a run needs, in the order they are looked for.
var programs = [...]string{
	"postfix", "postconf", "postmap", "postqueue", "postcat", "sendmail",
	"dovecot", "doveconf", "sievec", "lmtp",
}

// Need skips the test where a run isn't possible (not root, no namespaces, a
// program is missing), or fails it under REQUIRE_SERVERS=1.
func Need(tb testing.TB) {
	tb.Helper()
	for _, name := range programs {
		servertest.Need(tb, name)
	}
	if os.Geteuid() != 0 {
		servertest.Missing(tb, "maillab: needs root's rights for namespaces and port 25")
	}
	if err := probed(); err != nil {
		servertest.Missing(tb, "maillab: no namespaces here: "+err.Error())
	}
}

// probed tries namespaces, once in a process.
var probed = sync.OnceValue(func() error {
	scratch, err := os.MkdirTemp("", "maillab")
	if err != nil {
		return err
	}
	defer os.Remove(scratch)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = inner(ctx, "probe", task{Scratch: scratch})
	return err
})

// run does a run from outside: it starts the inner part and waits for its
// answer. The scale says how much of what Postfix's own script does is done.
func run(w World, s Site, msgs []Message, scale float64) (Result, error) {
	if w.Timeout == 0 {
		w.Timeout = 5 * time.Minute
	}
	if w.Connect == 0 {
		if w.Connect = 20 * time.Second; s.NFTables != nil {
			w.Connect = 3 * time.Second
		}
	}
	if w.Senders <= 0 {
		if w.Senders = 8; scale <= 1 {
			w.Senders = 2
		}
	}
	scratch, err := os.MkdirTemp("", "maillab")
	if err != nil {
		return Result{}, err
	}
	// Only a mount point: what the run writes there is gone with its namespace.
	defer os.Remove(scratch)
	ctx, cancel := context.WithTimeout(context.Background(), w.Timeout)
	defer cancel()
	deadline := time.Now().Add(w.Timeout - w.Timeout/20)
	return inner(ctx, "run", task{
		World: w, Site: s, Messages: msgs, Check: scale >= 2 && !s.Direct, Script: scale > 1 &&
			!s.Direct, Defaults: versions(w.Root), Scratch: scratch, Deadline: deadline,
	})
}

// inner runs this program again in new namespaces.
func inner(ctx context.Context, what string, t task) (Result, error) {
	var in, stderr bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(t); err != nil {
		return Result{}, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	defer out.Close()
	defer childOut.Close()

	// -test.run keeps a test binary without the hook from running its tests.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^$")
	// A race-enabled binary would sleep a second before it exits.
	cmd.Env = append(os.Environ(), childVariable+"="+what, "GORACE="+strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &stderr, &stderr
	cmd.ExtraFiles = []*os.File{childOut}
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	// Pdeathsig fires at the end of the thread that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return Result{}, err
	}
	childOut.Close()
	var a answer
	decodeErr := gob.NewDecoder(out).Decode(&a)
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return a.Result, fmt.Errorf("the run took too long\n%s", stderr.Bytes())
	case decodeErr != nil && waitErr == nil:
		return Result{}, errors.New("no answer from the inner part: TestMain doesn't call maillab.Main")
	case decodeErr != nil:
		return Result{}, fmt.Errorf("inner part: %w\n%s", waitErr, stderr.Bytes())
	case a.Err != "":
		return a.Result, errors.New(a.Err)
	default:
		return a.Result, nil
	}
}

// IsChild reports whether this process is the inner part of a run.
func IsChild() bool { return os.Getenv(childVariable) != "" }

// Child does the inner part of a run and returns the exit status. It refuses to
// touch anything unless it is the first process of its namespace.
func Child() int {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "maillab: "+childVariable+" is set, but this isn't the first process of a namespace")
		return 2
	}
	what := os.Getenv(childVariable)
	os.Unsetenv(childVariable)
	out := os.NewFile(3, "answer")
	// No program of the run may keep the caller waiting for the end of the answer.
	syscall.CloseOnExec(3)
	var t task
	if err := gob.NewDecoder(os.Stdin).Decode(&t); err != nil {
		fmt.Fprintln(os.Stderr, "maillab:", err)
		return 2
	}
	var a answer
	var err error
	if what == "probe" {
		err = probe(t)
	} else {
		a.Result, err = conduct(t)
	}
	if err != nil {
		a.Err = err.Error()
	}
	if err := gob.NewEncoder(out).Encode(a); err != nil {
		fmt.Fprintln(os.Stderr, "maillab:", err)
		return 2
	}
	return 0
}
