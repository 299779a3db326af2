package managesieve_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// Answers to GETSCRIPT that the protocol doesn't allow, or that exceed a limit.
// The connection must be closed after each.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	const lie = "{3}\r\nkeep;\r\nOK\r\n"
	tests := []struct{ name, answer, want string }{
		{"literal too short", lie, "where 0x0d must come"},
		{"literal too long", "{30}\r\nkeep;\r\nOK\r\n", "EOF"},
		{"literal beyond the limit", "{1001}\r\n", "1001 bytes, more than 1000"},
		{"literal of gigabytes", "{4294967295}\r\n", "more than 1000"},
		{"size beyond 32 bits", "{99999999999999999999}\r\n", "size of a literal"},
		{"negative size", "{-1}\r\n", "size of a literal"},
		{"no size", "{}\r\n", "size of a literal"},
		{"plus alone", "{+}\r\n", "size of a literal"},
		{"size and garbage", "{3 }\r\nabc", "size of a literal"},
		{"bare LF after the size", "{3}\nabc", "must come"},
		{"end in the size", "{3", "EOF"},
		{"end in the literal", "{3}\r\nab", "EOF"},
		{"end after the literal", "{3}\r\nabc", "EOF"},
		{"end before the answer", "{3}\r\nabc\r\n", "EOF"},
		{"end in the answer", "{3}\r\nabc\r\nOK", "EOF"},
		{"end in the line end", "{3}\r\nabc\r\nOK\r", "EOF"},
		{"nothing", "", "EOF"},
		{"two scripts", "\"a\"\r\n\"b\"\r\nOK\r\n", "more than one string"},
		{"two strings", "\"a\" \"b\"\r\nOK\r\n", "more than one string"},
		{"no script", "OK\r\n", "without a script"},
		{"quoted line end", "\"a\r\n\"\r\nOK\r\n", "quoted string"},
		{"quoted NUL", "\"a\x00\"\r\nOK\r\n", "quoted string"},
		{"bad escape", "\"\\n\"\r\nOK\r\n", "backslash"},
		{"quoted beyond the limit", "\"" + strings.Repeat("a", 1001) + "\"\r\nOK\r\n", "longer than 1000"},
		{"a line beyond the limit", "OK \"" + strings.Repeat("\\\"", 3000) + "\"\r\n", "longer than 4000"},
		{"text beyond the limit", "NO {2001}\r\n" + strings.Repeat("a", 2001) + "\r\n", "more than 2000"},
		{"texts beyond the limit", "NO (X {1500}\r\n" + strings.Repeat("a", 1500) + " {1500}\r\n" + strings.Repeat("a", 1500) + ")\r\n",
			"more than 500"},
		{"bare text of OK", "OK fine\r\n", "after OK"},
		{"bare text beyond the limit", "NO " + strings.Repeat("a", 2001) + "\r\n", "longer than 2000"},
		{"nested too deep", "NO (X " + strings.Repeat("(", 9) + strings.Repeat(")", 10) + "\r\n", "nested deeper"},
		{"nested without an end", "NO (X " + strings.Repeat("(", 2000), "nested deeper"},
		{"a code without an end", "NO (X\r\n", "response code"},
		{"two codes", "NO (X) (Y)\r\n", "after NO"},
		{"a code after the text", "NO \"x\" (Y)\r\n", "after NO"},
		{"two texts", "NO \"x\" \"y\"\r\n", "after NO"},
		{"an empty code", "NO ()\r\n", "word must come"},
		{"another protocol", "220 mail.example.com ESMTP\r\n", "where OK, NO or BYE"},
		{"IMAP", "* OK ready\r\n", "where OK, NO or BYE"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n", "where OK, NO or BYE"},
		{"binary", "\x16\x03\x01\x02\x00", "word must come"},
		{"bare LF", "OK\n", "after OK"},
		{"garbage after OK", "OKAY\r\n", "where OK, NO or BYE"},
		{"spaces", "OK  \"x\"\r\n", "after OK"},
		{"trailing space", "OK \r\n", "after OK"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := pipeOptions()
			options.Limits = managesieve.Limits{Script: 1000, Text: 2000, Line: 4000}
			c, err := dialScripted(t, options, greeting, "GETSCRIPT \"a\"\r\n", test.answer)
			if err != nil {
				t.Fatal(err)
			}
			script, err := c.GetScript(context.Background(), "a")
			if script != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("script %q, error %v, want %q", script, err, test.want)
			}
			var protocol *managesieve.ProtocolError
			var broken *managesieve.ConnError
			if errors.As(err, &protocol) == (test.want == "EOF") || errors.As(err, &broken) != (test.want == "EOF") {
				t.Errorf("error %v is a %T", err, err)
			}
			if _, err := c.PutScript(context.Background(), "a", scriptOne); !errors.Is(err, managesieve.ErrClosed) {
				t.Errorf("afterwards: %v, want ErrClosed", err)
			}
		})
	}
}

// Answers that are allowed, though few servers give them.
func TestUnusualAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		want         string
		wantErr      *managesieve.ResponseError
	}{
		{"quoted", "\"a\\\"\\\\b\"\r\nOK\r\n", `a"\b`, nil},
		{"empty", "\"\"\r\nOK\r\n", "", nil},
		{"empty literal", "{0}\r\n\r\nok\r\n", "", nil},
		{"non-synchronizing literal", "{3+}\r\nabc\r\nOK\r\n", "abc", nil},
		{"every byte", "{4}\r\n\x00\r\n\xff\r\nOK \"fine\"\r\n", "\x00\r\n\xff", nil},
		{"code and text", "{1}\r\na\r\nOK (WARNINGS) {4}\r\n\"\r\n\\\r\n", "a", nil},
		{"no", "NO\r\n", "", &managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No}},
		{"code", "no (nonexistent) \"x\"\r\n", "", &managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No,
			Code: managesieve.CodeNonexistent, Text: "x"}},
		{"no after the script", "{1}\r\na\r\nNO (TRYLATER)\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Code: managesieve.CodeTryLater}},
		{"text that is not UTF-8", "NO {10}\r\nline 1: \xff\xe9\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Text: "line 1: \ufffd"}},
		{"code that is not UTF-8", "NO (TAG \"\xff\") \"x\"\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Code: managesieve.CodeTag, Arg: "\ufffd", Text: "x"}},
		{"bare text", "NO Fatal error: Lost \"connection\"\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Text: "Fatal error: Lost \"connection\""}},
		{"bare text behind a code", "NO (TRYLATER) later\xff\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Code: managesieve.CodeTryLater, Text: "later\ufffd"}},
		{"bare text of a farewell", "BYE too busy\r\n", "", &managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.Bye,
			Text: "too busy"}},
		{"extension", "NO (VENDOR/x \"a\" 7 (\"b\" (c)) () word) {1}\r\nx\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.No, Code: "VENDOR/X", Arg: "a", Text: "x"}},
		{"bye", "BYE (REFERRAL {14}\r\nsieve://b.test) \"go\"\r\n", "",
			&managesieve.ResponseError{Command: "GETSCRIPT", Status: managesieve.Bye, Code: managesieve.CodeReferral, Arg: "sieve://b.test",
				Text: "go"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := dialScripted(t, pipeOptions(), greeting, "GETSCRIPT \"a\"\r\n", test.answer, "NOOP \"oxmailroute-1\"\r\n",
				"OK (TAG \"oxmailroute-1\")\r\n")
			if err != nil {
				t.Fatal(err)
			}
			script, err := c.GetScript(context.Background(), "a")
			var answer *managesieve.ResponseError
			errors.As(err, &answer)
			if d := cmp.Diff(test.wantErr, answer); d != "" || err != nil && answer == nil {
				t.Fatalf("error %v: %s", err, d)
			}
			if string(script) != test.want || err == nil && script == nil {
				t.Errorf("script %q, want %q", script, test.want)
			}
			bye := answer != nil && answer.Status == managesieve.Bye || strings.HasPrefix(test.name, "bare text")
			if err := c.Noop(context.Background()); errors.Is(err, managesieve.ErrClosed) != bye || !bye && err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, answer, want string }{
		{"two active", "\"a\" ACTIVE\r\n\"b\" ACTIVE\r\nOK\r\n", "two active"},
		{"twice", "\"a\"\r\n\"a\" ACTIVE\r\nOK\r\n", "twice"},
		{"another word", "\"a\" INACTIVE\r\nOK\r\n", "other than ACTIVE"},
		{"two strings", "\"a\" \"ACTIVE\"\r\nOK\r\n", "two strings"},
		{"empty name", "\"\"\r\nOK\r\n", "empty"},
		{"line end in a name", "{3}\r\na\r\n\r\nOK\r\n", "control character"},
		{"not UTF-8", "\"\xff\"\r\nOK\r\n", "UTF-8"},
		{"long name", "{1025}\r\n", "more than 1024"},
		{"too many", "\"a\"\r\n\"b\"\r\n\"c\"\r\n\"d\"\r\nOK\r\n", "more than 3 scripts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := pipeOptions()
			options.Limits.Scripts = 3
			c, err := dialScripted(t, options, greeting, "LISTSCRIPTS\r\n", test.answer)
			if err != nil {
				t.Fatal(err)
			}
			scripts, err := c.ListScripts(context.Background())
			var protocol *managesieve.ProtocolError
			if !errors.As(err, &protocol) || !strings.Contains(protocol.Reason, test.want) || scripts != nil {
				t.Errorf("scripts %v, error %v, want %q", scripts, err, test.want)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	const full = "\"Implementation\" \"x\"\r\n\"SASL\" \"plain EXTERNAL\"\r\n\"SIEVE\" \"fileinto  vacation\"\r\n\"STARTTLS\"\r\n" +
		"\"MAXREDIRECTS\" \"0\"\r\n\"NOTIFY\" \"mailto xmpp\"\r\n\"LANGUAGE\" \"de\"\r\n\"OWNER\" {1}\r\na\r\n\"UNAUTHENTICATE\"\r\n" +
		"\"XVENDOR\" \"1\"\r\n\"XFLAG\"\r\n\"SASL\" \"SCRAM-SHA-1\"\r\n\"VERSION\" \"1.0\"\r\nOK\r\n"
	c, err := dialScripted(t, pipeOptions(), full)
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	want := managesieve.Capabilities{
		Implementation: "x", SASL: []string{"PLAIN", "EXTERNAL"}, Sieve: []string{"fileinto", "vacation"}, StartTLS: true,
		MaxRedirects: &zero, Notify: []string{"mailto", "xmpp"}, Language: "de", Owner: "a", Unauthenticate: true,
		Version: "1.0", Other: map[string]string{"XVENDOR": "1", "XFLAG": ""},
	}
	got := c.Capabilities()
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got.SASL[0] = "changed"
	if !slices.Equal(c.Capabilities().SASL, want.SASL) {
		t.Error("the caller can change the client's capabilities")
	}
	for greeting, wantErr := range map[string]string{
		"BYE (TRYLATER) \"busy\"\r\n":                             "TRYLATER",
		"NO \"no\"\r\n":                                           "NO",
		"\"SASL\" PLAIN\r\nOK\r\n":                                "value of a capability",
		"\"MAXREDIRECTS\" \"x\"\r\nOK\r\n":                        "MAXREDIRECTS",
		strings.Repeat("\"X\"\r\n", 257) + "OK\r\n":               "more than 256",
		"\"" + strings.Repeat("x", 1025) + "\" \"\"\r\nOK\r\n":    "longer than",
		"\"SIEVE\" {70000}\r\n" + strings.Repeat("x", 70000) + "": "more than 65536",
	} {
		if _, err := dialScripted(t, pipeOptions(), greeting); err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("greeting %.40q: error %v, want %q", greeting, err, wantErr)
		}
	}
}

// An answer too many must not be taken for the answer to the next command.
func TestAnswerTooMany(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	put := "PUTSCRIPT \"a\" {13+}\r\n" + string(scriptOne[:13]) + "\r\n"
	t.Run("second answer", func(t *testing.T) {
		c, err := dialScripted(t, pipeOptions(), greeting+"OK\r\n", put)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PutScript(ctx, "a", scriptOne[:13]); !errors.As(err, new(*managesieve.ProtocolError)) {
			t.Errorf("error %v, want a ProtocolError", err)
		}
	})
	t.Run("bye between commands", func(t *testing.T) {
		c, err := dialScripted(t, pipeOptions(), greeting+"BYE (TRYLATER) \"idle\"\r\n", hang)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PutScript(ctx, "a", scriptOne); !errors.Is(err, managesieve.CodeTryLater) {
			t.Errorf("error %v, want TRYLATER", err)
		}
	})
	t.Run("refusal while sending", func(t *testing.T) {
		s, client := refuser(t)
		options := pipeOptions()
		c, err := managesieve.NewClient(ctx, client, options)
		if err != nil {
			t.Fatal(err)
		}
		// Where the kernel sends a reset the refusal is lost; an error it is.
		_, err = c.PutScript(ctx, "a", make([]byte, 3<<20))
		if !errors.Is(err, managesieve.CodeQuotaMaxSize) && !errors.As(err, new(*managesieve.ConnError)) {
			t.Errorf("error %v, want QUOTA/MAXSIZE or a ConnError", err)
		}
		if _, err := c.ListScripts(ctx); err == nil {
			t.Error("the connection is gone, but LISTSCRIPTS succeeds")
		}
		<-s
	})
}

// A small answer that announces much must not take memory for it.
func TestAnnouncedSizeTakesNoMemory(t *testing.T) {
	options := pipeOptions()
	options.Limits.Script = 1 << 30
	c, err := dialScripted(t, options, greeting, "GETSCRIPT \"a\"\r\n", "{1000000000}\r\nabc")
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = c.GetScript(context.Background(), "a")
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("no error")
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d bytes for an answer of 20", took)
	}
}
