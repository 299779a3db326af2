package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

// Run runs commands on the server, in their order, up to the first that fails:
// relay.Config.Commands once the files are in place. The error has what the
// program printed.
func Run(ctx context.Context, t Target, commands []relay.Command) error {
	if t == nil {
		return errNoTarget
	}
	for _, c := range commands {
		if len(c.Args) == 0 {
			return errors.New("a command without words")
		}
		if err := run(ctx, t, c); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

func run(ctx context.Context, t Target, c relay.Command) error {
	out, err := t.Run(ctx, c.Args, nil)
	text := strings.TrimSpace(string(out.Stderr))
	switch {
	case err != nil && text != "":
		return fmt.Errorf("%w: %s", err, text)
	case err != nil:
		return err
	case out.Status != 0 && text != "":
		return fmt.Errorf("exit status %d: %s", out.Status, text)
	case out.Status != 0:
		return fmt.Errorf("exit status %d", out.Status)
	case c.Silent && text != "":
		return errors.New(text)
	}
	return nil
}
