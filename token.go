package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"marcador/auth"
)

// tokenFlags say which tokens are good.
type tokenFlags struct {
	JWTSecret   string `name:"jwt-secret" help:"HS256 key that tokens are signed with, 32 bytes or more. Better in the environment than here."`
	JWTIssuer   string `name:"jwt-issuer" help:"Issuer (iss) that tokens must have."`
	JWTAudience string `name:"jwt-audience" help:"Audience (aud) that tokens must have."`
}

func (f tokenFlags) verifier() (*auth.Verifier, error) {
	if f.JWTSecret == "" {
		return nil, errors.New("there is no key to verify tokens with; set MARCADOR_JWT_SECRET, or --jwt-secret, to 32 bytes or more (openssl rand -hex 32 makes one)")
	}
	v, err := auth.NewVerifier(auth.Options{Secret: []byte(f.JWTSecret), Issuer: f.JWTIssuer, Audience: f.JWTAudience})
	if err != nil {
		return nil, fmt.Errorf("--jwt-secret: %w", err)
	}
	return v, nil
}

// tokenCommand signs a token.
type tokenCommand struct {
	Sub   string        `required:"" help:"User id."`
	Email string        `help:"E-mail address."`
	Name  string        `help:"Name."`
	Scope string        `help:"What it allows beyond reading, separated by spaces: xp:write, users:write, admin."`
	TTL   time.Duration `default:"1h" name:"ttl" help:"How long it is good."`

	tokenFlags
}

// Run implements the command.
func (c *tokenCommand) Run(out output) error {
	verifier, err := c.verifier()
	if err != nil {
		return err
	}
	if c.Sub == "" {
		return errors.New("--sub is empty; give the user's id")
	}
	caller := auth.Caller{UserID: c.Sub, Email: c.Email, Name: c.Name, Scopes: strings.Fields(c.Scope)}
	for _, s := range caller.Scopes {
		if s != auth.ScopeWriteXP && s != auth.ScopeWriteUsers && s != auth.ScopeAdmin {
			return fmt.Errorf("--scope: there is no scope %q; there are %s, %s and %s", s, auth.ScopeWriteXP, auth.ScopeWriteUsers, auth.ScopeAdmin)
		}
	}
	token, err := verifier.Sign(caller, c.TTL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out.stdout, token)
	return err
}
