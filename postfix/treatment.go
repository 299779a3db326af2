package postfix

import (
	"strings"
	"sync"
)

// Place is a kind of generated service that inherits what main.cf says.
type Place string

// The places.
const (
	// GatewayListener is a listener of the installation's that the gateway's
	// mail comes in by: smtpd(8).
	GatewayListener Place = "gateway"
	// InsideListener is a generated listener on loopback, for the second pass,
	// for Sieve's mail and for the removal of markers: smtpd(8).
	InsideListener Place = "inside"
	// PassCleanup is the cleanup(8) service behind the second pass and behind
	// the removal of markers on a shared listener.
	PassCleanup Place = "pass"
	// HopTransport is a transport to a listener on loopback: smtp(8).
	HopTransport Place = "hop"
	// SmartHostTransport is the transport to the gateway: smtp(8).
	SmartHostTransport Place = "smarthost"
)

// Action is what a generated service does with an inherited value.
type Action string

// The actions.
const (
	// Kept: the service has the installation's value.
	Kept Action = ""
	// Neutral: where main.cf sets something else, the service has the value of
	// [Treatment.Value].
	Neutral Action = "neutral"
	// Always: the service has the value of [Treatment.Value], whatever main.cf
	// says now or later, because a guarantee rests on it.
	Always Action = "always"
	// Own: the service has a value that the policy decides.
	Own Action = "own"
	// Refused: an installation that sets it is refused.
	Refused Action = "refused"
)

// Treatment is what a generated service does with an inherited value, and why.
type Treatment struct {
	Action Action
	Value  string
	Why    string // empty where the value is kept
}

// On returns what a place does with a value that it would inherit.
func (p Parameter) On(place Place) Treatment { return p.on[place] }

// neutral are the Neutral values by place, in the order of the table.
var neutral = sync.OnceValue(func() map[Place][]Param {
	m := map[Place][]Param{}
	for _, p := range table().rows {
		for place, t := range p.on {
			if t.Action == Neutral {
				m[place] = append(m[place], Param{Name: p.name, Value: t.Value})
			}
		}
	}
	return m
})

// Neutralized returns the options that a generated service at the place needs
// beside its own: the neutral value of each parameter that s sets to something
// else.
func (s Settings) Neutralized(place Place) []Param {
	var options []Param
	for _, o := range neutral()[place] {
		if !s.Set(o.Name) {
			continue
		}
		if value, err := s.Get(o.Name); err != nil || value != o.Value {
			options = append(options, o)
		}
	}
	return options
}

// parseTreatment reads "neutral VALUE; why", "always VALUE; why", "own; why"
// or "refused; why" of the table.
func parseTreatment(text string) Treatment {
	what, why, _ := strings.Cut(text, "; ")
	action, value, _ := strings.Cut(what, " ")
	return Treatment{Action(action), value, why}
}
