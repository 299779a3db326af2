package relay

import (
	"errors"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Remedied holds every problem to a place and to a remedy of its own, which the
// text of the problem does not have, and which is not what is said of anything.
func Remedied(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	var list Errors
	if !errors.As(err, &list) || len(list) == 0 {
		tb.Errorf("%T, not Errors: %v", err, err)
	}
	for _, e := range list {
		if e.Position.String() == "" || e.Fix == "" || e.Fix == fault.RemedyOf(errors.New("anything")) || strings.Contains(e.Err.Error(), e.Fix) {
			tb.Errorf("place %q, problem %q, remedy %q", e.Position.String(), e.Err, e.Fix)
		}
	}
}
