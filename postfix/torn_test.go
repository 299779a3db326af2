package postfix

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExtractTornOff: lines of ours at the end of a block that were edited
// together with its mark, or with what they continue, are named.
func TestExtractTornOff(t *testing.T) {
	end := regexp.MustCompile(`(?m)^# END oxmailroute.*\n`)
	set, err := setMain(edited[0].base)
	if err != nil {
		t.Fatal(err)
	}
	const parameter, last = "smtpd_recipient_restrictions = reject_non", "\n cidr:/etc/postfix/conbool_clients, permit\n"
	i := strings.LastIndex(set, last)
	if i < 0 || !strings.Contains(set, parameter) {
		t.Fatalf("no %q in\n%s", last, set)
	}
	mark := end.FindString(set)
	tests := []struct{ name, text, line string }{
		{"its last line out of use, no END", end.ReplaceAllString(set[:i]+"\n# "+last[2:]+set[i+len(last):], ""), "# " + last[2:len(last)-1]},
		{"a name changed, its last line below the END", strings.Replace(set[:i], parameter, "my_"+parameter, 1) + "\n" + mark + last[1:],
			last[1 : len(last)-1]},
	}
	for _, tt := range tests {
		got, left, err := extractMain(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, tt.line+"\n") || !slices.ContainsFunc(left, func(l Leftover) bool { return l.Text == tt.line && l.Why != "" }) {
			t.Errorf("%s: left %+v in\n%s", tt.name, left, got)
		}
	}
}
