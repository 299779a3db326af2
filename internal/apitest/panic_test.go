package apitest_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// notCalled are the functions and methods that are not called, and why.
var notCalled = map[string]string{
	"relay/relaytest.Run": "fails the test that it is given",
}

const script = "require \"fileinto\";\n## Flag: |UniqueId:0|Rulename: x\nif header :contains \"subject\" \"x\" {\n\tfileinto \"y\";\n}\n"

// whole are values as people have them.
func whole(t *testing.T) []any {
	t.Helper()
	const testdata = "../../examples/oxmailroute/testdata/"
	data, err := os.ReadFile(testdata + "lab.json")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	policy, err := relay.ParsePolicy("lab.json", data)
	must(err)
	installation, err := relay.ReadInstallation(os.DirFS(testdata+"base"), "")
	must(err)
	config, err := relay.Compile(policy, installation)
	must(err)
	perMailbox := policy
	perMailbox.Sieve.Form = relay.SievePerMailbox
	rules, err := relay.Compile(perMailbox, installation)
	must(err)
	mainCF, err := postfix.ParseMain("main.cf", []byte("a = b\n c\n$x = y\nmyhostname = x\nx = $y\n"))
	must(err)
	master, err := postfix.ParseMaster("master.cf", []byte("smtp inet n - y - - smtpd -o a=b\npickup unix n - y 60 1 pickup\n"))
	must(err)
	tree, err := sieve.ParseTree("x", []byte(script))
	must(err)
	parsed, err := sieve.Parse("x", []byte(script))
	must(err)
	program, err := interp.Compile(parsed, interp.Options{})
	must(err)
	document, err := mailfilter.Parse("x", []byte(script))
	must(err)
	matcher, err := headers.Compile(headers.Any{headers.Not{Predicate: headers.Exists{Name: "X"}}}, headers.Sieve)
	must(err)
	markers, err := headers.NewMarkers("X-", []string{"example.com"})
	must(err)
	patterns, _ := postfix.ParsePatternTable("x", "regexp", []byte("/x/ y\nif /a/\n/b/ $1\nendif\n"))
	return []any{policy, installation, config, rules, rules.MailboxRules(), mainCF, master, tree, parsed, program, document, matcher, markers,
		headers.CompileGlob("a*b", true), patterns, relay.Message{Origin: config.Origin(relay.RoleGateway), From: "a@example.com",
			To: "bob@example.com", Raw: []byte("\n")},
		&relay.Message{Origin: config.Origin(relay.RoleGateway), From: "a@example.com", To: "bob@example.com", Raw: []byte("\n")}}
}

// strange are conditions that the types allow and nobody means.
func strange() []headers.Predicate {
	match := headers.Match{Name: "X-A", Op: headers.Is, Values: []string{"x"}}
	type foreign struct{ headers.Predicate }
	return []headers.Predicate{
		match, &match, headers.When(match), headers.When(&match), headers.When(headers.When(match)), headers.Any{headers.When(match)},
		headers.When(headers.Any{headers.When(match)}), headers.All{headers.When(headers.Not{Predicate: headers.When(match)})},
		headers.Not{}, headers.Any{nil}, headers.All{&headers.Any{}}, headers.When(nil), headers.When(headers.When(nil)),
		(*headers.Match)(nil), headers.Not{Predicate: (*headers.Not)(nil)}, headers.Any{(*headers.Condition)(nil)},
		foreign{}, foreign{match}, headers.Any{foreign{match}},
	}
}

func makerWithWhole(t *testing.T) *maker {
	t.Helper()
	m := newMaker(t)
	m.seed(whole(t)...)
	predicate := reflect.TypeFor[headers.Predicate]()
	for _, p := range strange() {
		v := reflect.New(predicate).Elem()
		v.Set(reflect.ValueOf(p))
		m.seeds[predicate] = append(m.seeds[predicate], v)
	}
	m.seed(script, []byte(script), "a@example.com", "/a/ x", "x:y", "X-A: b\n\nc\n", "<>", "*", "", "$")
	return m
}

// TestNoPanic calls every exported function and method.
func TestNoPanic(t *testing.T) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	m := makerWithWhole(t)
	for _, dir := range sorted(surface) {
		t.Run(dir, func(t *testing.T) {
			calls := 0
			for _, name := range sorted(surface[dir].functions) {
				calls += m.callAll(t, dir+"."+name, reflect.ValueOf(surface[dir].functions[name]), 3)
			}
			for _, name := range sorted(surface[dir].types) {
				typ := surface[dir].types[name]
				if typ.Kind() == reflect.Interface {
					continue // its implementations have the methods
				}
				pointer := reflect.PointerTo(typ)
				for i := range pointer.NumMethod() {
					method := pointer.Method(i)
					if value, ok := typ.MethodByName(method.Name); ok {
						method = value
					}
					calls += m.callAll(t, dir+"."+name+"."+method.Name, method.Func, 2)
				}
			}
			t.Logf("%d calls", calls)
			if calls == 0 {
				t.Error("nothing was called")
			}
		})
	}
}

// perParameter bounds how many values of one parameter a function is called with.
const perParameter = 400

// callAll calls a function with the values of each parameter, the others being
// their zero or their last value, and says how often.
func (m *maker) callAll(t *testing.T, name string, f reflect.Value, depth int) int {
	if notCalled[name] != "" {
		return 0
	}
	n := f.Type().NumIn()
	zero, last := make([]reflect.Value, n), make([]reflect.Value, n)
	values := make([][]reflect.Value, n)
	for i := range n {
		values[i] = spread(m.values(f.Type().In(i), depth), perParameter)
		zero[i], last[i] = values[i][0], values[i][len(values[i])-1]
	}
	if n == 0 {
		values, zero, last = [][]reflect.Value{{{}}}, nil, nil
	}
	calls, seen := 0, map[string]bool{}
	for i := range values {
		for _, v := range values[i] {
			for _, base := range [][]reflect.Value{zero, last} {
				args := append([]reflect.Value(nil), base...)
				if n > 0 {
					args[i] = v
				}
				calls++
				if _, what := try(f, args); what != "" && !seen[what] {
					seen[what] = true
					t.Errorf("%s(%s): %s", name, show(args), what)
				}
			}
		}
	}
	return calls
}

// spread takes n values out of many, the first and the last among them.
func spread(l []reflect.Value, n int) []reflect.Value {
	if len(l) <= n {
		return l
	}
	some := make([]reflect.Value, n)
	for i := range some {
		some[i] = l[i*(len(l)-1)/(n-1)]
	}
	return some
}

func show(args []reflect.Value) string {
	var l []string
	for _, a := range args {
		s := a.Type().String()
		switch a.Kind() {
		case reflect.Pointer, reflect.Func:
			if a.IsNil() {
				s = "nil " + s
			}
		case reflect.Interface:
			if s = "nil"; !a.IsNil() {
				s = fmt.Sprintf("%#v", a.Interface())
			}
		default:
			s = fmt.Sprintf("%#v", a.Interface())
		}
		l = append(l, s[:min(len(s), 200)])
	}
	return strings.Join(l, ", ")
}

// describe says what a panic was and where in the module.
func describe(r any) string {
	stack := make([]byte, 1<<16)
	stack = stack[:runtime.Stack(stack, false)]
	var frames []string
	for line := range bytes.Lines(stack) {
		s := strings.TrimSpace(string(line))
		if s, ok := strings.CutPrefix(s, module+"/"); ok && !strings.HasPrefix(s, "internal/apitest") {
			frames = append(frames, s)
		}
	}
	return fmt.Sprintf("panics: %v at %s", r, strings.Join(frames[:min(len(frames), 3)], " in "))
}
