package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// database is a relay.Directory over the tables that Postfix itself asks: one
// query for each question, so that no list of mailboxes is held in memory. The
// queries are those of Postfix's pgsql: files. An error makes Route say what
// Postfix would do: defer. It has the mailboxes' scripts, too.
type database struct{ db *sql.DB }

var (
	_ relay.Directory = database{}
	_ relay.Scripts   = database{}
)

// Domain says which domains are in virtual_mailbox_domains.
func (d database) Domain(ctx context.Context, domain string) (relay.Class, error) {
	var one int
	err := d.db.QueryRowContext(ctx, `SELECT 1 FROM domains WHERE domain = $1`, domain).Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return relay.ClassNone, nil
	case err != nil:
		return relay.ClassNone, err
	}
	return relay.ClassMailbox, nil
}

// Mailbox reports whether the key is a mailbox.
func (d database) Mailbox(ctx context.Context, key string) (bool, error) {
	var one int
	err := d.db.QueryRowContext(ctx, `SELECT 1 FROM mailboxes WHERE address = $1`, key).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Alias returns the members of an alias.
func (d database) Alias(ctx context.Context, key string) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT member FROM aliases WHERE address = $1`, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var members []string
	for rows.Next() {
		var m string
		if err := rows.Scan(&m); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, rows.Err()
}

// Script compiles a mailbox's own script. A real program keeps compiled ones.
func (d database) Script(ctx context.Context, mailbox string) (*interp.Program, error) {
	var text string
	err := d.db.QueryRowContext(ctx, `SELECT script FROM scripts WHERE address = $1`, mailbox).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) || strings.TrimSpace(text) == "" && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	script, err := sieve.Parse(mailbox, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mailbox, err)
	}
	return interp.Compile(script, interp.Options{Name: mailbox})
}

// rows reads the tenants' table as the CSV file has it.
func (d database) rows() ([][]string, error) {
	found, err := d.db.Query(`SELECT tenant, domain, gateway FROM domains ORDER BY tenant, domain`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list [][]string
	for found.Next() {
		row := make([]string, 3)
		if err := found.Scan(&row[0], &row[1], &row[2]); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, found.Err()
}
