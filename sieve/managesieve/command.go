package managesieve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Script is an entry of LISTSCRIPTS.
type Script struct {
	Name   string
	Active bool // it is the one that runs; at most one is
}

// ListScripts lists the mailbox's scripts in the server's order (RFC 5804
// section 2.7). Cyrus 3.6 stores a name beyond ASCII as an encoded word, lists it
// so, and finds it under that name only; a name with quotes it lists unescaped,
// which is a [*ProtocolError].
func (c *Client) ListScripts(ctx context.Context) ([]Script, error) {
	if c == nil {
		c = new(Client)
	}
	var scripts []Script
	seen, active := map[string]bool{}, false
	_, err := c.command(ctx, "LISTSCRIPTS", []byte("LISTSCRIPTS\r\n"), maxName, func(d data) error {
		s := Script{Name: string(d.first)}
		switch d.kind {
		case twoStrings:
			return syntaxError("two strings in the list of scripts")
		case stringAtom:
			if !strings.EqualFold(d.second, "ACTIVE") {
				return syntaxError("a word other than ACTIVE in the list of scripts")
			}
			if active {
				return syntaxError("two active scripts")
			}
			s.Active, active = true, true
		}
		if reason := badName(s.Name); reason != "" {
			return syntaxError("a name in the list of scripts: " + reason)
		}
		if seen[s.Name] {
			return syntaxError("a name twice in the list of scripts")
		}
		if len(scripts) == c.options.Limits.Scripts {
			return syntaxf("more than %d scripts", c.options.Limits.Scripts)
		}
		seen[s.Name] = true
		scripts = append(scripts, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return scripts, nil
}

// GetScript reads a script, byte for byte (RFC 5804 section 2.9). Without such a
// script the error is [CodeNonexistent] on servers that give codes.
func (c *Client) GetScript(ctx context.Context, name string) ([]byte, error) {
	if c == nil {
		c = new(Client)
	}
	line, err := named("GETSCRIPT", name)
	if err != nil {
		return nil, err
	}
	var script []byte
	_, err = c.command(ctx, "GETSCRIPT", append(line, '\r', '\n'), c.options.Limits.Script, func(d data) error {
		if script != nil || d.kind != oneString {
			return syntaxError("more than one string in the answer")
		}
		script = d.first
		return nil
	})
	if err != nil {
		return nil, err
	}
	if script == nil {
		err := &ProtocolError{Command: "GETSCRIPT", Reason: "OK without a script"}
		c.close(err)
		return nil, err
	}
	return script, nil
}

// PutScript stores a script under the name, over one that is there, and says
// what the server warned of (RFC 5804 section 2.6). The active script stays
// active. On an error the old script stays, or stays absent; only where the
// connection broke after the script was sent (a [*ConnError]) may the new one be
// there, too.
func (c *Client) PutScript(ctx context.Context, name string, script []byte) (warnings string, err error) {
	if c == nil {
		c = new(Client)
	}
	line, err := named("PUTSCRIPT", name)
	if err != nil {
		return "", err
	}
	return c.upload(ctx, "PUTSCRIPT", append(line, ' '), script)
}

// CheckScript lets the server check a script that isn't stored, and says what it
// warned of (RFC 5804 section 2.12). A server before RFC 5804 gives
// errors.ErrUnsupported.
func (c *Client) CheckScript(ctx context.Context, script []byte) (warnings string, err error) {
	if c == nil {
		c = new(Client)
	}
	if !c.Capabilities().HasVersion() {
		return "", unsupported("CHECKSCRIPT", "the server has no VERSION")
	}
	return c.upload(ctx, "CHECKSCRIPT", []byte("CHECKSCRIPT "), script)
}

func (c *Client) upload(ctx context.Context, name string, line, script []byte) (string, error) {
	if len(script) > c.options.Limits.Script {
		return "", fmt.Errorf("managesieve: %s: the script has %d bytes, more than Limits.Script of %d", name, len(script),
			c.options.Limits.Script)
	}
	command := make([]byte, 0, len(line)+len(script)+20)
	command = literal(append(command, line...), script)
	resp, err := c.command(ctx, name, append(command, '\r', '\n'), 0, nil)
	if err != nil {
		return "", err
	}
	if resp.code.Is(CodeWarnings) {
		if resp.text == "" {
			return "warnings without text", nil
		}
		return resp.text, nil
	}
	return "", nil
}

// SetActive makes a script the one that runs (RFC 5804 section 2.8).
func (c *Client) SetActive(ctx context.Context, name string) error {
	if c == nil {
		c = new(Client)
	}
	return c.simple(ctx, "SETACTIVE", name)
}

// Deactivate leaves the mailbox without a script that runs: SETACTIVE with an
// empty name, which SetActive refuses.
func (c *Client) Deactivate(ctx context.Context) error {
	if c == nil {
		c = new(Client)
	}
	_, err := c.command(ctx, "SETACTIVE", []byte("SETACTIVE \"\"\r\n"), 0, nil)
	return err
}

// DeleteScript deletes a script (RFC 5804 section 2.10). The active one gives
// [CodeActive].
func (c *Client) DeleteScript(ctx context.Context, name string) error {
	if c == nil {
		c = new(Client)
	}
	return c.simple(ctx, "DELETESCRIPT", name)
}

// RenameScript renames a script; the active one stays active (RFC 5804 section
// 2.11). It never replaces a script: that gives [CodeAlreadyExists]. On a
// server before RFC 5804 it takes the way of section 2.11.1: the script is read,
// stored under the new name, activated where the old one was active, and the old
// one deleted. Cut in between, that leaves both, one of them active where one
// was.
func (c *Client) RenameScript(ctx context.Context, old, name string) error {
	if c == nil {
		c = new(Client)
	}
	line, err := named("RENAMESCRIPT", old)
	if err != nil {
		return err
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if !c.Capabilities().HasVersion() {
		return c.renameByCopy(ctx, old, name)
	}
	line = scriptName(append(line, ' '), name)
	_, err = c.command(ctx, "RENAMESCRIPT", append(line, '\r', '\n'), 0, nil)
	return err
}

func (c *Client) renameByCopy(ctx context.Context, old, name string) error {
	scripts, err := c.ListScripts(ctx)
	if err != nil {
		return err
	}
	var active, found bool
	for _, s := range scripts {
		if s.Name == name {
			return &ResponseError{Command: "RENAMESCRIPT", Status: No, Code: CodeAlreadyExists, Text: "found by LISTSCRIPTS"}
		}
		if s.Name == old {
			found, active = true, s.Active
		}
	}
	if !found {
		return &ResponseError{Command: "RENAMESCRIPT", Status: No, Code: CodeNonexistent, Text: "found by LISTSCRIPTS"}
	}
	script, err := c.GetScript(ctx, old)
	if err != nil {
		return err
	}
	if _, err := c.PutScript(ctx, name, script); err != nil {
		return err
	}
	if active {
		if err := c.SetActive(ctx, name); err != nil {
			return err
		}
	}
	return c.DeleteScript(ctx, old)
}

// HaveSpace asks whether a script of the size in bytes could be stored under the
// name (RFC 5804 section 2.5). Where not, the error is a [CodeQuota].
func (c *Client) HaveSpace(ctx context.Context, name string, size uint32) error {
	if c == nil {
		c = new(Client)
	}
	line, err := named("HAVESPACE", name)
	if err != nil {
		return err
	}
	line = strconv.AppendUint(append(line, ' '), uint64(size), 10)
	_, err = c.command(ctx, "HAVESPACE", append(line, '\r', '\n'), 0, nil)
	return err
}

// Capability asks for the capabilities again (RFC 5804 section 2.4).
func (c *Client) Capability(ctx context.Context) (Capabilities, error) {
	if c == nil {
		c = new(Client)
	}
	err := c.run(ctx, "CAPABILITY", c.options.CommandTimeout, func() error {
		if err := c.send([]byte("CAPABILITY\r\n")); err != nil {
			return err
		}
		return c.woken(func() (bool, error) { return false, c.readCapabilities("CAPABILITY") })
	})
	if err != nil {
		return Capabilities{}, err
	}
	return c.Capabilities(), nil
}

// Noop does nothing but prove that the connection works and that answers belong
// to their commands: it sends a tag that must come back (RFC 5804 section 2.13).
// A server before RFC 5804 gives errors.ErrUnsupported.
func (c *Client) Noop(ctx context.Context) error {
	if c == nil {
		c = new(Client)
	}
	if !c.Capabilities().HasVersion() {
		return unsupported("NOOP", "the server has no VERSION")
	}
	return c.run(ctx, "NOOP", c.options.CommandTimeout, func() error {
		c.noop++
		tag := "oxmailroute-" + strconv.Itoa(c.noop)
		resp, err := c.exchange(append(quote([]byte("NOOP "), tag), '\r', '\n'), 0, nil)
		if err != nil {
			return err
		}
		if err := resp.err("NOOP"); err != nil {
			return err
		}
		if resp.code != CodeTag || resp.arg != tag {
			return syntaxError("not the tag that was sent")
		}
		return nil
	})
}

const logout = "LOGOUT\r\n"

// Logout says LOGOUT and closes the connection (RFC 5804 section 2.3), whatever
// comes back.
func (c *Client) Logout(ctx context.Context) error {
	if c == nil {
		c = new(Client)
	}
	_, err := c.command(ctx, "LOGOUT", []byte(logout), 0, nil)
	c.close(errors.New("Logout was called"))
	return err
}

func (c *Client) simple(ctx context.Context, command, name string) error {
	line, err := named(command, name)
	if err != nil {
		return err
	}
	_, err = c.command(ctx, command, append(line, '\r', '\n'), 0, nil)
	return err
}

// named begins a command with a script's name.
func named(command, name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(command) + len(name) + 8)
	b.WriteString(command + " ")
	return scriptName(b.Bytes(), name), nil
}
