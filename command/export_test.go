package command

// The tests of this package use these.
var (
	NewCertificate = newCertificate
	Secured        = secured
	PrivateHandler = privateHandler
)
