package postfix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// expandCases are values that refer to a = "A", b = "" and n = "10".
var expandCases = []string{
	"", "x", "$a", "${a}", "$(a)", "$a$b$a", "$$a", "$$$a", "x$undefined-y", "${a?x}", "${b?x}", "${a:x}", "${b:x}", "${undefined:x}", "${undefined?x}",
	"${a?{x}:{y}}", "${b?{x}:{y}}", "${a?{x}:y}", "${b?{x}:y}", "${a? {x} : {y} }", "${a?x:y}", "${a?$a}", "${a?{$a$b}}", "${{A}=={A}?{x}:{y}}", "${{$a} == {A} ? {x} : {y}}", "${{$a} != {A} ? {x} : {y}}",
	"${{9}<{10}?lt:ge}", "${{9x}<{10}?lt:ge}", "${{$n}>={10}?{ge}}", "${{10}>{9}:{le}}", "${{a}<={b}?{x}:{y}}", "${{010}=={10}?{x}:{y}}", "${{a}=={a}}", "${{a}=={b}}", "$(a?{x}:{y})", "$(a?(x))",
	"${ind}", "$ind", "${ind?{$ind}}", "${empty_ind?x:y}", "${loop}", "$loop", "${", "$", "a$ b", "${}", "$(", "${a-b}", "${a b}", "${a?{x}z}", "${a?{x}:{y}z}", "${{a}}", "${{a}=={b}z}", "${{a}~{b}?x}", "${{a}==b?x}", "${a?${", "${a?{x}", "${b?${}}", "{$a}", "}$a{", "${a?}", "${b:}", "$1", "${{${{a}=={a}?b}}=={b}?x:y}", "${self?x}",
	"${{3.6} <level {3.10} ? {x} : {y}}", "${{3.10}<=level{3.6}?{x}:{y}}", "${{3} ==level {3.0.0} ? {x}}", "${{3.6} !=level {3.6.1} ? {x}}", "${{2} >=level {10} ? {x} : {y}}", "${{3.6} >level {3.5}}",
	"${{3.6} < level {3.10} ? {x}}", "${{3.6} <levels {3.10} ? {x}}", "${{3.6} <LEVEL {3.10} ? {x}}", "${{3.6} level {3.10} ? {x}}", "${{3.6} <_level {3.10} ? {x}}",
	"${{x} <level {3.7} ? {x}}", "${{} <level {3.7} ? {x}}", "${{3.6.1.2} <level {3.7} ? {x}}", "${{3.1024} <level {3.7} ? {x}}", "${{3.} <level {3.7} ? {x}}", "${{-1} <level {3.7} ? {x}}",
	"${{$n} >=level {9.1023} ? {x} : {y}}", "${{99999999} <level {3.7} ? {x} : {y}}",
}

const (
	plainMain  = "a = A\nb =\nn = 10\nind = <$a>\nempty_ind = $b\n"
	expandMain = plainMain + "loop = $loop2\nloop2 = ${loop}\nself = $self\n"
)

func TestMainExpand(t *testing.T) {
	t.Parallel()
	m, err := ParseMain("main.cf", []byte(expandMain))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range expandCases {
		t.Run(value, func(t *testing.T) {
			t.Parallel() // postconf sleeps before it stops on an error
			got, err := m.Expand(value, nil)
			if err != nil && !errors.Is(err, ErrSyntax) {
				t.Error(err)
			}
			dir := confDir(t, expandMain+"relayhost = "+value+"\n", "")
			stdout, stderr := run(t, nil, "postconf", dir, "-xh", "relayhost")
			if fatal := strings.Contains(stderr, "fatal"); fatal != (err != nil) {
				t.Errorf("Expand %q, %v; postconf %q %s", got, err, stdout, stderr)
			} else if want := strings.TrimSuffix(stdout, "\n"); !fatal && got != want {
				t.Errorf("Expand %q, postconf %q", got, want)
			}
			// ValidValue takes what Postfix can evaluate whatever the names
			// stand for.
			if ValidValue(value) == nil && err != nil && !strings.Contains(value, "loop") && !strings.Contains(value, "self") {
				t.Errorf("ValidValue takes %q: %v", value, err)
			}
		})
	}
	got, err := m.Expand("$a $x $b", func(name string) (string, bool) {
		return "($n)", name == "x" || name == "b"
	})
	if err != nil || got != "A (10) (10)" {
		t.Errorf("with override: %q, %v", got, err)
	}
	var bomb strings.Builder
	for i := range 60 {
		fmt.Fprintf(&bomb, "v%d = $v%d$v%d\n", i, i+1, i+1)
	}
	doubling, err := ParseMain("main.cf", []byte(bomb.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doubling.Expand("$v0", nil); !errors.Is(err, ErrSyntax) {
		t.Errorf("a value that doubles sixty times: %v", err)
	}
}

func TestMainExpandRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(21, 22))
	pieces := []string{"a", "$a", "$b", "${a}", "${", "}", "{", "}", "?", ":", "$$", "$(", ")", "x", " ", "==", "!=", "<", "${a?", "${b:",
		"{x}", "${{", "n"}
	var text strings.Builder
	m, err := ParseMain("main.cf", []byte(plainMain))
	if err != nil {
		t.Fatal(err)
	}
	// One postconf for many values that Expand takes; one each for others.
	values := make(map[string]string)
	for i := range 400 {
		value := randomText(r, pieces, 14)
		want, err := m.Expand(value, nil)
		if err == nil {
			name := fmt.Sprintf("zz_%d", i)
			values[name] = squeeze([]byte(strings.TrimSpace(want)))
			fmt.Fprintf(&text, "%s = %s\n", name, value)
			continue
		}
		if i%40 == 0 {
			t.Run(value, func(t *testing.T) {
				t.Parallel() // postconf sleeps before it stops on an error
				dir := confDir(t, plainMain+"relayhost = "+value+"\n", "")
				if stdout, stderr := run(t, nil, "postconf", dir, "-xh", "relayhost"); !strings.Contains(stderr, "fatal") {
					t.Errorf("%q: Expand says %v, postconf %q", value, err, stdout)
				}
			})
		}
	}
	var refer strings.Builder
	for name := range values {
		refer.WriteString("$" + name)
	}
	dir := confDir(t, plainMain+text.String(), "x unix - - n - - smtp\n  -o zz_all="+refer.String()+"\n")
	stdout, stderr := run(t, nil, "postconf", dir, "-xn")
	if strings.Contains(stderr, "fatal") {
		t.Fatalf("%s\n%s", stderr, text.String())
	}
	for line := range strings.SplitSeq(stdout, "\n") {
		name, value, _ := strings.Cut(line, " =")
		if want, ok := values[name]; ok {
			if got := strings.TrimPrefix(value, " "); got != want {
				v, _ := m.Get(name)
				t.Errorf("%s = %s: Expand %q, postconf %q", name, v, want, got)
			}
			delete(values, name)
		}
	}
	if len(values) > 0 {
		t.Errorf("postconf doesn't print %v", values)
	}
}
