package provision_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// A first line for the active scripts of three mailboxes.
func ExampleSync() {
	server := &managesievetest.Server{Master: "master", Password: "secret"}
	server.Put("alice@example.com", "Open-Xchange", []byte("keep;\r\n"), true)
	server.Put("bob@example.com", "Open-Xchange", []byte("# ours\r\nkeep;\r\n"), true)

	// Against a real server: managesieve.Options{} for STARTTLS on port 4190.
	transport := managesieve.Options{Security: managesieve.LoopbackCleartext, DialContext: server.DialContext}
	reports, err := provision.Sync(context.Background(), []string{"alice@example.com", "bob@example.com", "carol@example.com"},
		provision.Options{
			Connect: provision.Connector("localhost", transport, func(mailbox string) sasl.Client {
				return sasl.NewPlainClient(mailbox, "master", "secret")
			}),
			Edit: func(mailbox string, script []byte) ([]byte, error) {
				if bytes.HasPrefix(script, []byte("# ours")) {
					return script, nil
				}
				return append([]byte("# ours\r\n"), script...), nil
			},
		})
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range reports {
		fmt.Printf("%s: %v, %d to %d bytes\n", r.Mailbox, r.Outcome, r.Before, r.After)
	}
	// Output:
	// alice@example.com: updated, 7 to 15 bytes
	// bob@example.com: unchanged, 15 to 15 bytes
	// carol@example.com: no script, 0 to 0 bytes
}
