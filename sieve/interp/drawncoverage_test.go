package interp_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// drawnNodes are the commands and tests that a delivery tells apart.
var drawnNodes = []any{
	sieve.If{}, sieve.Stop{}, sieve.Redirect{}, sieve.Keep{}, sieve.Discard{}, sieve.FileInto{}, sieve.Reject{}, sieve.EReject{}, sieve.Vacation{},
	sieve.Notify{}, sieve.Report{}, sieve.AddHeader{}, sieve.DeleteHeader{}, sieve.AddFlag{}, sieve.SetFlag{},
	sieve.RemoveFlag{}, sieve.Set{}, sieve.Include{}, sieve.Return{}, sieve.Global{}, sieve.Import{}, sieve.Export{}, sieve.ForEveryPart{}, sieve.Break{},
	sieve.ExtractText{}, sieve.Fail{}, sieve.DebugLog{},
	sieve.Header{}, sieve.Address{}, sieve.Envelope{}, sieve.Exists{}, sieve.Size{}, sieve.Not{}, sieve.AllOf{}, sieve.AnyOf{}, sieve.True{}, sieve.False{},
	sieve.Body{}, sieve.Date{}, sieve.CurrentDate{}, sieve.Duplicate{}, sieve.ValidNotifyMethod{}, sieve.NotifyMethodCapability{}, sieve.Environment{},
	sieve.IHave{}, sieve.HasFlag{}, sieve.MailboxExists{},
	sieve.SpecialUseExists{}, sieve.SpamTest{}, sieve.VirusTest{}, sieve.String{},
}

// countNodes counts the types of what is in a value, and their fields that aren't
// zero; of words such as match types each.
func countNodes(v reflect.Value, n map[string]int) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			countNodes(v.Elem(), n)
		}
	case reflect.Slice:
		if v.Type().Name() != "" {
			n[v.Type().Name()]++
		}
		for i := range v.Len() {
			countNodes(v.Index(i), n)
		}
	case reflect.Struct:
		n[v.Type().Name()]++
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				n[name]++
				if f.Kind() == reflect.String && f.Type().Name() != "string" {
					n[fmt.Sprintf("%s %v", name, f)]++
				}
				countNodes(f, n)
			}
		}
	default:
		if v.Kind() == reflect.String && v.Type().Name() == "Modifier" {
			n["Modifier "+v.String()]++
		}
	}
}

// TestDrawnCoverage looks at what the scripts of TestDrawnDeliveries contain: every
// command and test with each of its arguments. -v prints how often.
func TestDrawnCoverage(t *testing.T) {
	n := map[string]int{}
	for _, is24 := range []bool{false, true} {
		d := sievetest.NewDeliverable(sievetest.NewGenerator(*sievetest.Seed), is24)
		d.Included = []string{"i0", "i1"}
		for range 1500 {
			countNodes(reflect.ValueOf(d.Script().Commands), n)
		}
	}
	var missing []string
	for _, x := range drawnNodes {
		typ := reflect.TypeOf(x)
		if n[typ.Name()] == 0 {
			missing = append(missing, typ.Name())
			continue
		}
		for i := 0; typ.Kind() == reflect.Struct && i < typ.NumField(); i++ {
			if name := typ.Name() + "." + typ.Field(i).Name; n[name] == 0 {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("not drawn: %s", strings.Join(missing, ", "))
	}
	for _, k := range slices.Sorted(maps.Keys(n)) {
		t.Logf("%6d %s", n[k], k)
	}
}
