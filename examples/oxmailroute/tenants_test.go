package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// policyWith is the documented policy with a change, as a file.
func policyWith(t *testing.T, replace ...string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/lab.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(replace...).Replace(string(data))
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTenantScripts: the script of a domain that uses the gateway no more goes
// with the next run, and the rest with the gateway; another's stays.
func TestTenantScripts(t *testing.T) {
	const form, tenant = `"Sieve": {"Slot": 1}`, `"Sieve": {"Slot": 1, "Form": "tenant"}`
	dir := t.TempDir()
	own := filepath.Join(dir, "sieve/tenants/example.org.sieve")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("keep;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts := func() string {
		names, err := filepath.Glob(filepath.Join(dir, "sieve/tenants/*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range names {
			names[i] = filepath.Base(names[i])
		}
		return strings.Join(names, " ")
	}
	steps := []struct {
		args []string
		want string
	}{
		{[]string{"write", "-policy", policyWith(t, form, tenant)}, "example.com.sieve example.net.sieve example.org.sieve"},
		{[]string{"write", "-policy", policyWith(t, form, tenant, `["example.net"], "Scope": {"Use": "all"}`,
			`["example.net"], "Scope": {"Use": "none"}`)}, "example.com.sieve example.org.sieve"},
		{[]string{"remove", "-policy", policyWith(t)}, "example.org.sieve"},
	}
	for _, step := range steps {
		if status, _, errs := call("", append(step.args, "-base", "testdata/base", "-out", dir)...); status != 0 {
			t.Fatalf("%v: %d: %s", step.args, status, errs)
		}
		if got := scripts(); got != step.want {
			t.Errorf("%v: %s, want %s", step.args, got, step.want)
		}
	}
}
