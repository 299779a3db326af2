package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// decision is what the command sieve prints.
type decision struct {
	Actions []any `json:"actions"`
	// ImplicitKeep says that the message is stored in the inbox because no
	// action took the place of that, or because a script failed.
	ImplicitKeep bool     `json:"implicitKeep"`
	KeepFlags    []string `json:"keepFlags,omitempty"`
	Error        *string  `json:"error"`
	Trace        []step   `json:"trace,omitempty"`
}

type step struct {
	Script  string `json:"script"`
	Line    int    `json:"line"`
	Text    string `json:"text"`
	Matched bool   `json:"matched"`
	Input   string `json:"input,omitempty"`
}

// The actions, one struct for each.
type (
	keepAction struct {
		Action string   `json:"action"`
		Flags  []string `json:"flags"`
	}
	fileIntoAction struct {
		Action  string   `json:"action"`
		Mailbox string   `json:"mailbox"`
		Flags   []string `json:"flags"`
		Copy    bool     `json:"copy"`
		Create  bool     `json:"create"`
	}
	redirectAction struct {
		Action  string `json:"action"`
		Address string `json:"address"`
		Copy    bool   `json:"copy"`
		Why     string `json:"why,omitempty"`
	}
	plainAction struct {
		Action string `json:"action"`
	}
	rejectAction struct {
		Action  string `json:"action"`
		Reason  string `json:"reason"`
		Message *mail  `json:"message"`
	}
	vacationAction struct {
		Action  string  `json:"action"`
		Subject *string `json:"subject,omitempty"`
		Reason  string  `json:"reason"`
		Message *mail   `json:"message"`
		Why     string  `json:"why,omitempty"`
	}
	notifyAction struct {
		Action     string           `json:"action"`
		Method     string           `json:"method"`
		Importance sieve.Importance `json:"importance"`
		Text       *string          `json:"text,omitempty"`
		Message    *mail            `json:"message"`
		Why        string           `json:"why,omitempty"`
	}
	addHeaderAction struct {
		Action string `json:"action"`
		Name   string `json:"name"`
		Value  string `json:"value"`
		Last   bool   `json:"last"`
	}
	deleteHeaderAction struct {
		Action string `json:"action"`
		Name   string `json:"name"`
		Index  int    `json:"index"`
		Value  string `json:"value"`
	}
	reportAction struct {
		Action      string `json:"action"`
		Type        string `json:"type"`
		Address     string `json:"address"`
		Text        string `json:"text"`
		HeadersOnly bool   `json:"headersOnly"`
	}
	mail struct {
		From string   `json:"from"`
		To   []string `json:"to"`
		Raw  string   `json:"raw"`
	}
)

func runSieve(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("sieve", "MESSAGE (- for standard input)", stderr)
	script := fs.String("script", "", "the user's script, a `file`")
	check := fs.String("check", "", "say what is wrong with a script, a `file`, and run nothing")
	setting := fs.String("extensions", "",
		"what the server has on, as in sieve_extensions: `names`, with + to add to Debian's default set (default: all)")
	trace := fs.Bool("trace", false, "print every test and command, with its line and outcome")
	var from, to optional
	fs.Var(&from, "from", "envelope sender `address`; empty for the null sender")
	fs.Var(&to, "to", "envelope recipient `address`")
	var before, after stringList
	fs.Var(&before, "before", "a script that runs before the user's, a `file` (may be given more than once)")
	fs.Var(&after, "after", "a script that runs behind the user's, a `file` (may be given more than once)")
	var c circumstances
	c.flags(fs)
	if err := parseFlags(fs, args, 0, 1); err != nil {
		return err
	}
	on := sieve.AllExtensions
	if c.doveconf != "" {
		var err error
		if on, err = c.settings(); err != nil {
			return err
		}
	}
	if *setting != "" {
		var err error
		if on, err = sieve.Debian12.Set(*setting); err != nil {
			return fmt.Errorf("-extensions: %w", err)
		}
	}
	if *check != "" {
		return checkScript(*check, on, stdout)
	}
	if fs.NArg() == 0 || *script == "" || !from.set || !to.set {
		return errors.New("-script, -from, -to and a message are needed (-from= for the null sender), or -check")
	}
	if err := c.prepare(on); err != nil {
		return err
	}
	c.options.Trace = *trace
	var sequence interp.Sequence
	var failed error
	for _, file := range append(append(before, *script), after...) {
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		p, err := compileScript(file, src, c.options)
		failed = errors.Join(failed, err)
		sequence = append(sequence, p)
	}
	if failed != nil {
		fmt.Fprintln(stderr, failed)
		return errFailed
	}
	raw, err := readMessage(fs.Arg(0), stdin)
	if err != nil {
		return err
	}
	in := &c.in
	in.Raw, in.From, in.To = raw, from.value, to.value
	var remembered memory
	if c.memory != "" {
		if remembered, err = readMemory(c.memory); err != nil {
			return fmt.Errorf("-memory: %w", err)
		}
		in.Memory = remembered
	}
	if in.Now.IsZero() {
		in.Now = time.Now()
	}
	var r interp.Result
	if len(sequence) == 1 {
		r = sequence[0].Run(in)
	} else {
		r = sequence.Run(in)
	}
	if c.memory != "" {
		if err := remembered.write(c.memory, in.Now); err != nil {
			return fmt.Errorf("-memory: %w", err)
		}
	}
	e := json.NewEncoder(stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(decisionOf(&r))
}

func compileScript(file string, src []byte, options interp.Options) (*interp.Program, error) {
	s, err := sieve.ParseFor(file, src, options.Extensions)
	if err != nil {
		return nil, err
	}
	options.Name = file
	return interp.Compile(s, options)
}

// checkScript prints what is wrong with a script, and what is strange.
func checkScript(file string, on sieve.Extensions, stdout io.Writer) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	warnings, err := sieve.Check(file, src, on)
	if err != nil {
		fmt.Fprintln(stdout, err)
		return errFailed
	}
	for _, w := range warnings {
		fmt.Fprintf(stdout, "%s: warning: %s\n", w.Position, w.Text)
	}
	return nil
}

// decisionOf puts a result in the form that is printed.
func decisionOf(r *interp.Result) decision {
	d := decision{Actions: []any{}, KeepFlags: r.KeepFlags,
		ImplicitKeep: r.Keep == interp.KeepImplicit || r.Keep == interp.KeepFailure}
	if r.Err != nil {
		text := r.Err.Error()
		d.Error = &text
	}
	for _, a := range r.Actions {
		d.Actions = append(d.Actions, actionOf(a))
	}
	for _, s := range r.Steps {
		d.Trace = append(d.Trace, step{s.Script, s.Line, s.Text, s.Matched, s.Input})
	}
	return d
}

func actionOf(a interp.Action) any {
	list := func(l []string) []string { return append([]string{}, l...) }
	switch a := a.(type) {
	case interp.ActionKeep:
		return keepAction{"keep", list(a.Flags)}
	case interp.ActionFileInto:
		return fileIntoAction{"fileinto", a.Mailbox, list(a.Flags), a.Copy, a.Create}
	case interp.ActionRedirect:
		return redirectAction{"redirect", a.Address, a.Copy, a.Why}
	case interp.ActionReject:
		name := "reject"
		if a.Early {
			name = "ereject"
		}
		return rejectAction{name, a.Text, mailOf(a.Message)}
	case interp.ActionVacation:
		return vacationAction{"vacation", a.Subject, a.Reason, mailOf(a.Reply), a.Why}
	case interp.ActionNotify:
		return notifyAction{"notify", a.Method, a.Importance, a.Message, mailOf(a.Mail), a.Why}
	case interp.ActionAddHeader:
		return addHeaderAction{"addheader", a.Name, a.Value, a.Last}
	case interp.ActionDeleteHeader:
		return deleteHeaderAction{"deleteheader", a.Name, a.Index, a.Value}
	case interp.ActionReport:
		return reportAction{"report", a.Type, a.Address, a.Text, a.HeadersOnly}
	case interp.ActionDiscard:
		return plainAction{"discard"}
	default: // no other is made
		return nil
	}
}

func mailOf(m *interp.Outgoing) *mail {
	if m == nil {
		return nil
	}
	return &mail{m.From, m.To, string(m.Raw)}
}
