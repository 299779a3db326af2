package main

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

func Example() {
	main()
	// Output:
	// alice@example.com -> x@remote.example: relay [mail.conbool.com]:25
	// carol@example.org -> x@remote.example: mx remote.example
	// info@xn--bcher-kva.example -> bob+news@example.net: mailbox INBOX
	// x@remote.example -> team@example.com: mailbox INBOX <alice@example.com>, mx remote.example <x@remote.example>
	// x@remote.example -> nobody@example.com: reject 550
	// x@remote.example -> carol@example.org: mailbox INBOX
	// x@remote.example -> alice@example.com: reject 554
}

// tables is a database driver that knows the queries of database.go.
type tables map[string][][]driver.Value

func (t tables) Open(string) (driver.Conn, error)          { return t, nil }
func (t tables) Prepare(query string) (driver.Stmt, error) { return statement{t, query}, nil }
func (t tables) Close() error                              { return nil }
func (t tables) Begin() (driver.Tx, error)                 { return nil, errors.New("no transactions") }

type statement struct {
	tables tables
	query  string
}

func (s statement) Close() error                               { return nil }
func (s statement) NumInput() int                              { return strings.Count(s.query, "$") }
func (s statement) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("read only") }
func (s statement) Query(args []driver.Value) (driver.Rows, error) {
	_, rest, _ := strings.Cut(s.query, " FROM ")
	name, _, _ := strings.Cut(rest, " ")
	if name == "aliases" && args[0] == "broken@example.com" {
		return nil, errors.New("the database is down")
	}
	var found [][]driver.Value
	for _, row := range s.tables[name] {
		if len(args) == 0 {
			found = append(found, row)
		} else if row[0] == args[0] {
			found = append(found, row[1:])
		}
	}
	return &cursor{found}, nil
}

type cursor struct{ rows [][]driver.Value }

func (c *cursor) Columns() []string {
	if len(c.rows) == 0 {
		return nil
	}
	return make([]string, len(c.rows[0]))
}
func (c *cursor) Close() error { return nil }
func (c *cursor) Next(dest []driver.Value) error {
	if len(c.rows) == 0 {
		return io.EOF
	}
	copy(dest, c.rows[0])
	c.rows = c.rows[1:]
	return nil
}

// TestDatabase: the Directory over database/sql answers as the one from the
// CSV file does.
func TestDatabase(t *testing.T) {
	sql.Register("tables", tables{
		"domains":   {{"Example Ltd", "example.com", "yes"}},
		"mailboxes": {{"alice@example.com", int64(1)}},
		"aliases":   {{"team@example.com", "alice@example.com"}, {"team@example.com", "x@remote.example"}},
		"scripts":   {{"alice@example.com", "require \"fileinto\";\nfileinto \"Work\";\n"}, {"bad@example.com", "fileinto"}},
	})
	db, err := sql.Open("tables", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := database{db}
	rows, err := d.rows()
	if list := tenants(rows); err != nil || len(list) != 1 || list[0].Scope.Use != relay.ScopeDomains {
		t.Errorf("tenants %+v, %v", list, err)
	}
	csv, err := readAddresses("testdata/addresses.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"alice@example.com", "team@example.com", "nobody@example.com"} {
		a, err1 := d.Mailbox(t.Context(), key)
		b, err2 := csv.Mailbox(t.Context(), key)
		if a != b || err1 != nil || err2 != nil {
			t.Errorf("Mailbox(%s): %v %v, %v %v", key, a, err1, b, err2)
		}
		m, err1 := d.Alias(t.Context(), key)
		n, err2 := csv.Alias(t.Context(), key)
		if !slices.Equal(m, n) || err1 != nil || err2 != nil {
			t.Errorf("Alias(%s): %v %v, %v %v", key, m, err1, n, err2)
		}
	}
	if p, err := d.Script(t.Context(), "alice@example.com"); p == nil || err != nil {
		t.Errorf("script: %v %v", p, err)
	}
	if p, err := d.Script(t.Context(), "nobody@example.com"); p != nil || err != nil {
		t.Errorf("no script: %v %v", p, err)
	}
	if _, err := d.Script(t.Context(), "bad@example.com"); err == nil {
		t.Error("a script that is none")
	}
	if _, err := d.Alias(t.Context(), "broken@example.com"); err == nil {
		t.Error("a database that is down")
	}
}
