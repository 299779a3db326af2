package headers

import (
	"errors"
	"strings"
	"testing"
)

// remedied holds errors of this package to a remedy each, beside the text.
func remedied(t *testing.T, err error) {
	t.Helper()
	var list Errors
	var one *Error
	var not *NotExpressibleError
	switch {
	case err == nil:
	case errors.As(err, &list):
		for _, e := range list {
			if e.Fix == "" || strings.Contains(e.Err.Error(), e.Fix) {
				t.Errorf("%v: remedy %q", e.Err, e.Fix)
			}
		}
	case errors.As(err, &one):
		remedied(t, Errors{one})
	case errors.As(err, &not):
		if not.Fix == "" || strings.Contains(not.Reason, not.Fix) {
			t.Errorf("%v: remedy %q", not.Reason, not.Fix)
		}
	default:
		t.Errorf("%T has no remedy: %v", err, err)
	}
}
