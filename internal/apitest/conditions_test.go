package apitest_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// TestStrangeConditions puts conditions that nobody means into each place of a
// policy: an error, never a panic.
func TestStrangeConditions(t *testing.T) {
	values := whole(t)
	policy, installation := values[0].(relay.Policy), values[1].(relay.Installation)
	places := map[string]func(p *relay.Policy, c headers.Condition){
		"Loop":     func(p *relay.Policy, c headers.Condition) { p.Gateway.Markers.Loop = []headers.Condition{c} },
		"Released": func(p *relay.Policy, c headers.Condition) { p.Gateway.Markers.Released = c },
		"Spam":     func(p *relay.Policy, c headers.Condition) { p.Gateway.Markers.Spam = c },
	}
	for i, predicate := range strange() {
		wrong := headers.Validate(predicate) != nil
		for place, set := range places {
			p := policy
			set(&p, headers.When(predicate))
			t.Run(fmt.Sprintf("%s/%d", place, i), func(t *testing.T) {
				for name, f := range map[string]any{
					"Validate": relay.Policy.Validate, "Warnings": relay.Policy.Warnings,
					"Compile": func(p relay.Policy) error { _, err := relay.Compile(p, installation); return err },
				} {
					out, what := try(reflect.ValueOf(f), []reflect.Value{reflect.ValueOf(p)})
					if what != "" {
						t.Fatalf("%s with %#v %s", name, predicate, what)
					}
					if err, ok := out[0].Interface().(error); name != "Warnings" && wrong && predicate != headers.Predicate(headers.Condition{}) &&
						(!ok || err == nil) {
						t.Errorf("%s takes %#v", name, predicate)
					}
				}
			})
		}
	}
}

// TestPointerAction holds that an action that isn't a value of the package is an
// error where it is written.
func TestPointerAction(t *testing.T) {
	for _, a := range []postfix.CheckAction{&postfix.Ignore{}, (*postfix.Filter)(nil), struct{ postfix.CheckAction }{}} {
		table := postfix.CheckTable{{Regexp: "x", Action: a}}
		if _, err := table.Compile(); err == nil {
			t.Errorf("Compile takes %T", a)
		}
	}
}
