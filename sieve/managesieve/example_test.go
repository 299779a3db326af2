package managesieve_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// A master user reads and replaces the active script of a mailbox.
func Example() {
	server := &managesievetest.Server{Master: "master", Password: "secret", MaxSize: 1000}
	server.Put("alice@example.com", "Open-Xchange", []byte("keep;\r\n"), true)
	ctx := context.Background()

	// Against a real server: managesieve.Options{} for STARTTLS on port 4190.
	c, err := managesieve.Dial(ctx, "localhost", managesieve.Options{
		Security:    managesieve.LoopbackCleartext,
		DialContext: server.DialContext,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Authenticate(ctx, sasl.NewPlainClient("alice@example.com", "master", "secret")); err != nil {
		fmt.Println(err)
		return
	}
	scripts, err := c.ListScripts(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range scripts {
		script, err := c.GetScript(ctx, s.Name)
		fmt.Printf("%s, active %v: %q, %v\n", s.Name, s.Active, script, err)
	}
	_, err = c.PutScript(ctx, "Open-Xchange", []byte("# managed\r\nkeep;\r\n"))
	fmt.Println("stored:", err == nil)
	_, err = c.PutScript(ctx, "large", make([]byte, 2000))
	fmt.Println("quota:", errors.Is(err, managesieve.CodeQuota))
	fmt.Println(c.Logout(ctx))
	// Output:
	// Open-Xchange, active true: "keep;\r\n", <nil>
	// stored: true
	// quota: true
	// <nil>
}
