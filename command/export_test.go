package command

// What tests of the command line look at from outside.
var (
	NewCertificate = newCertificate
	Secured        = secured
	PrivateHandler = privateHandler
)
