// Command oxmailroute shows what the library does, and is useful by itself in
// shell scripts: it writes the files for a gateway into an existing Postfix
// configuration, takes them out again, says where a message goes and why, runs
// and checks Sieve scripts, keeps a policy's rules in users' scripts, and runs
// fixtures.
//
//	oxmailroute demo
//	oxmailroute write  -policy FILE [-base DIR] [-doveconf FILE] -out DIR
//	oxmailroute remove -policy FILE -base DIR -out DIR
//	oxmailroute route  -policy FILE [-base DIR] [-script MAILBOX=FILE]... -origin ROLE -from ADDR -to ADDR [-to ADDR]... MESSAGE
//	oxmailroute route  -dir DIR [-root DIR] [-doveconf FILE [-sieve DIR]] -origin SERVICE -from ADDR -to ADDR [-to ADDR]... MESSAGE
//	oxmailroute sieve  -script FILE [-before FILE]... [-after FILE]... -from ADDR -to ADDR [-trace] [-mailbox NAME]...
//	                    [-include DIR] [-now TIME] [-env NAME=VALUE]... [-memory FILE] MESSAGE
//	oxmailroute sieve  -check FILE
//	oxmailroute test   FIXTURE...
//	oxmailroute script -policy FILE [-mailbox ADDR] [-remove] [-n] SCRIPT
//	oxmailroute lint   [-ox GENERATION] SCRIPT
//	oxmailroute sync   -policy FILE -server HOST:PORT -user NAME -password-file FILE [-remove] [-n] [-mailboxes FILE] [MAILBOX]...
//
// Exit status: 0, 1 where a fixture or a mailbox failed or a script has errors
// or problems, 2 on bad input.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

const usage = `usage: oxmailroute COMMAND [FLAGS]

  demo     route sample messages through a policy of two tenants
  write    write the files for a policy into a copy of a Postfix configuration
  remove   take them out again
  route    say where a message goes, as JSON
  sieve    run Sieve scripts over a message, or check one
  test     run fixtures
  script   put the policy's rules into a user's script, or take them out
  lint     say what OX App Suite can't read in a script, or doesn't keep
  sync     do what script does to many mailboxes, through ManageSieve

oxmailroute COMMAND -h shows a command's flags.
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// errFailed is a fixture or a mailbox that failed, or a script with errors or
// problems, as against bad input.
var errFailed = errors.New("failed")

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	commands := map[string]func([]string, io.Reader, io.Writer, io.Writer) error{
		"demo": demo, "write": write, "remove": remove, "route": route, "sieve": runSieve, "test": test,
		"script": script, "lint": lint, "sync": syncMailboxes,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(stderr, usage)
		return 2
	}
	err := commands[args[0]](args[1:], stdin, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errFailed):
		return 1
	case errors.Is(err, errUsage):
		return 2 // package flag has said why
	}
	fmt.Fprintln(stderr, "oxmailroute:", strings.ReplaceAll(err.Error(), "\n", "\noxmailroute: "))
	return 2
}

var errUsage = errors.New("usage")

// flags makes the flag set of a command.
func flags(name, arguments string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("oxmailroute "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, "usage: oxmailroute %s [FLAGS] %s\n", name, arguments)
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags wants as many arguments as the command has.
func parseFlags(fs *flag.FlagSet, args []string, least, most int) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if n := fs.NArg(); n < least || n > most {
		fs.Usage()
		return errUsage
	}
	return nil
}

// parseMixed is parseFlags for a command whose flags may stand behind its
// arguments, too.
func parseMixed(fs *flag.FlagSet, args []string, least, most int) ([]string, error) {
	var arguments []string
	for {
		if err := parseFlags(fs, args, 0, len(args)); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			break
		}
		arguments, args = append(arguments, fs.Arg(0)), fs.Args()[1:]
	}
	if n := len(arguments); n < least || n > most {
		fs.Usage()
		return nil, errUsage
	}
	return arguments, nil
}

// readPolicy reads and checks the policy file.
func readPolicy(name string) (relay.Policy, error) {
	if name == "" {
		return relay.Policy{}, errors.New("-policy is missing")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return relay.Policy{}, err
	}
	return relay.ParsePolicy(name, data)
}

// vouches is the flag for tables that can't be read from here.
func vouches(fs *flag.FlagSet) *stringList {
	var l stringList
	fs.Var(&l, "vouch", "a `table` as main.cf names it (pgsql:/etc/postfix/x.cf), which is harmless: it takes no mail past the policy (may "+
		"be given more than once)")
	return &l
}

// readBase reads a configuration directory, whose name on the server the policy
// has; none is an empty installation. Tables are vouched for.
func readBase(dir string, policy relay.Policy, vouched stringList) (relay.Installation, error) {
	if dir == "" {
		return relay.Installation{}, nil
	}
	in, err := relay.ReadInstallation(os.DirFS(dir), policy.Server.ConfigDirectory)
	if err != nil {
		return in, fmt.Errorf("%s: %w", dir, err)
	}
	in.Tables = map[string]relay.Table{}
	for _, name := range vouched {
		in.Tables[name] = relay.Table{Harmless: true}
	}
	return in, nil
}
