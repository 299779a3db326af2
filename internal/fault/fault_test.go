package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// TestPositions: a place is read as it is written.
func TestPositions(t *testing.T) {
	for text, want := range map[string]fault.Position{
		"":                                    {},
		"main.cf":                             {File: "main.cf"},
		"main.cf:12":                          {File: "main.cf", Line: 12},
		"/etc/postfix/a:0":                    {File: "/etc/postfix/a:0"},
		":3":                                  {File: ":3"},
		"doveconf: protocol lmtp: mail_home":  {File: "doveconf: protocol lmtp: mail_home"},
		"Tenants[2].Domains[0]":               {Path: "Tenants[2].Domains[0]"},
		"[3].Key":                             {Path: "[3].Key"},
		"Installation.Files[\"/etc/a:b\"]":    {Path: "Installation.Files[\"/etc/a:b\"]"},
		"/etc/Postfix/A File:2147483647":      {File: "/etc/Postfix/A File", Line: 2147483647},
		"master.cf:99999999999999999999999:x": {File: "master.cf:99999999999999999999999:x"},
	} {
		got := fault.At(text)
		if got != want || got.String() != text {
			t.Errorf("%q: %+v, written %q", text, got, got)
		}
	}
	whole := fault.Position{File: "lab.json", Line: 12, Column: 7, Path: "Tenants[2].Name"}
	if got := whole.String(); got != "lab.json:12:7: Tenants[2].Name" {
		t.Errorf("%q", got)
	}
}

// TestText: place with the tenant's name, problem and fix are one line, and nothing
// stands for what isn't there.
func TestText(t *testing.T) {
	wrong := errors.New("wrong")
	for want, e := range map[string]*fault.Error{
		"<nil>":                     nil,
		"wrong":                     {Err: wrong},
		"wrong; mend it":            {Err: wrong, Fix: "mend it"},
		"main.cf:3: wrong; mend it": {Position: fault.At("main.cf:3"), Err: wrong, Fix: "mend it"},
		"p.json:1:2: Tenants[0] (Example Ltd).Name: wrong": {
			Position: fault.Position{File: "p.json", Line: 1, Column: 2, Path: "Tenants[0].Name"}, Tenant: "Example Ltd", Err: wrong},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w := fault.Warning{Position: fault.At("Tenants[1].Domains"), Tenant: "b.test", Text: "odd"}
	if got := w.String(); got != "Tenants[1] (b.test).Domains: odd" {
		t.Errorf("%q", got)
	}
}

// TestOneVocabulary: an error of any package is found by every package's names.
func TestOneVocabulary(t *testing.T) {
	_, ofHeaders := headers.CompileERE("(", false)
	_, ofPostfix := postfix.Table{{Key: "a", Value: "b"}, {Key: "a", Value: "c"}}.Format()
	_, ofSieve := sieve.Parse("a.sieve", []byte("\n  frob;"))
	ofRelay := relay.Policy{}.Validate()
	for _, tt := range []struct {
		name  string
		err   error
		kind  error
		place string
	}{
		{"headers", ofHeaders, relay.ErrInvalid, ""},
		{"postfix", ofPostfix, relay.ErrDuplicate, "[1].Key"},
		{"sieve", ofSieve, relay.ErrUnsupported, "a.sieve:2:3"},
		{"relay", ofRelay, headers.ErrRequired, "Gateway.Name"},
	} {
		var e *relay.Error
		wrapped := fmt.Errorf("outer: %w", tt.err)
		if !errors.Is(wrapped, tt.kind) || !errors.As(wrapped, &e) || e.Position.String() != tt.place {
			t.Errorf("%s: %v: %+v", tt.name, tt.err, e)
		}
	}
}

// TestApart: a remedy is taken out once, whatever kinds were added.
func TestApart(t *testing.T) {
	inner := &fault.Error{Position: fault.At("A.B"), Err: fault.New(fault.ErrInvalid, "odd"), Fix: "mend it"}
	var l fault.Errors
	l.Wrap("C", fault.Both(inner, fault.ErrConflict), "another fix")
	if got := l.Error(); got != "C: A.B: odd; mend it" {
		t.Errorf("%q", got)
	}
	if !errors.Is(l, fault.ErrInvalid) || !errors.Is(l, fault.ErrConflict) {
		t.Error("a kind was lost")
	}
	l = nil
	l.Wrap("C", fault.New(fault.ErrDamaged, "torn"), "")
	if l[0].Fix == "" {
		t.Error("no fix")
	}
}
