module github.com/oxmailroute/oxmailroute

go 1.25.0

require (
	git.sr.ht/~emersion/go-sieve v0.0.0-20240926192256-cf8e1a9b5da9
	github.com/emersion/go-message v0.18.2
	github.com/google/go-cmp v0.7.0
	golang.org/x/net v0.58.0
	golang.org/x/sys v0.47.0
	golang.org/x/text v0.41.0
	golang.org/x/tools v0.49.0
)

require github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.2
