package policy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// presetField is the field of a gateway in JSON that names a preset.
const presetField = "Preset"

// presets are the gateways that JSON knows by name, as the Go functions return
// them without arguments.
var presets = map[string]func() Gateway{
	"conbool":    func() Gateway { return Conbool() },
	"proofpoint": func() Gateway { return ProofpointEssentials("", "") },
}

// presetNames are the names in their order.
var presetNames = []string{"conbool", "proofpoint"}

// gatewayIn is the gateway that an object is read into, or into a part of.
func gatewayIn(v reflect.Value) *Gateway {
	switch g := v.Addr().Interface().(type) {
	case *Gateway:
		return g
	case *FurtherGateway:
		return &g.Gateway
	}
	return nil
}

// preset fills a gateway with what the object's Preset says, wherever it stands
// in the object: the fields beside it are read over that.
func (r *policyReader) preset(g *Gateway, at int) {
	var fields map[string]json.RawMessage
	if json.NewDecoder(bytes.NewReader(r.data[at:])).Decode(&fields) != nil {
		return // reading it again says what is wrong
	}
	var name string
	if json.Unmarshal(fields[presetField], &name) != nil {
		return
	}
	if preset := presets[name]; preset != nil {
		*g = preset()
	}
}

// presetName reads the name of a preset.
func (r *policyReader) presetName(path string) bool {
	at := r.next()
	var name string
	v := reflect.ValueOf(&name).Elem()
	problems := len(r.errs)
	if !r.value(path, v) {
		return false
	}
	if presets[name] == nil && len(r.errs) == problems {
		r.add(path, at, suggest(name, presetNames), "there is no preset %q", name)
	}
	return true
}

// markers refuses names of header fields that are nearly those of the gateway's
// preset: a marker that is misspelt protects nobody, and nothing else tells.
func (r *policyReader) markers(path string, g *Gateway, at int) {
	preset := presets[g.Name]
	if preset == nil {
		return
	}
	known := headerNames(preset().Markers)
	for _, n := range headerNames(g.Markers) {
		if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, n) }) {
			continue
		}
		for _, k := range known {
			if d := paths.Distance(strings.ToLower(n), strings.ToLower(k)); d <= 1+len(k)/8 {
				r.add(join(path, "Markers"), at, "write "+k+", or give the gateway another Name", "%q is no header of %s's", n, g.Name)
				break
			}
		}
	}
}

// headerNames are the names of the markers' header fields, and the prefix of the
// domain marker's.
func headerNames(m Markers) []string {
	var out []string
	if m.Domain.Prefix != "" {
		out = append(out, m.Domain.Prefix)
	}
	for _, c := range append(slices.Clone(m.Loop), m.Released, m.Spam) {
		for _, n := range condition.FieldNames(c.Predicate) {
			out = append(out, n.Prefix)
		}
	}
	return append(out, m.Reserved...)
}
