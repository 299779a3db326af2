package sieve

import "testing"

func TestSmoke(t *testing.T) {
	src := "require [\"fileinto\"];\n# Release (policy: X)\nif header :is \"X-Conbool-Released\" \"yes\" { fileinto \"INBOX\"; stop; }\nif anyof(header :is \"X-Conbool-Flag\" \"YES\", not true) { fileinto \"Spam\"; stop; } elsif false {keep;} else {discard;}\n"
	s, err := Parse("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%v", s.Format(), s.Lines)
	p, err := Compile(s, Options{Trace: true, Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", p.Run(&Input{}))
	_, err = Parse("y", []byte("keep 1; foo; if { } $ redirect :x \"a\"; if true { fileinto \"x\"; }"))
	t.Log(err)
	_, err = Parse("y", []byte("keep 1; foo; redirect :x \"a\"; redirect \"a\"; if true { fileinto \"x\"; } else true {keep;}"))
	t.Log(err)
	t.Log((&Script{Commands: []Command{FileInto{}, If{}, Comment("a\nb"), nil}}).Validate())
}
