package relay

// MailboxRules returns the rules for mailboxes' own scripts. It is nil where
// the form of the policy's Sieve rules is another and OX App Suite couldn't read
// them.
func (c *Config) MailboxRules() *MailboxRules {
	if c == nil || c.own == nil {
		return nil
	}
	return c.own()
}
