package policy

// Warning is something that works and may not be what was meant.
type Warning struct {
	Path   string // as in [Error]
	Tenant string // as in [Error]
	Text   string
}

// String returns path, with the tenant's name, and text.
func (w Warning) String() string { return namedPath(w.Path, w.Tenant) + ": " + w.Text }
