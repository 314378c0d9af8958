package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"marcador/auth"
	"marcador/internal/validate"
)

// tokenFlags say how tokens are signed and which tokens are accepted.
type tokenFlags struct {
	JWTSecret   string `name:"jwt-secret" help:"HS256 key that signs tokens, 32 bytes or more. Safer in the environment than on the command line."`
	JWTIssuer   string `name:"jwt-issuer" help:"Accept only tokens of this issuer (iss)."`
	JWTAudience string `name:"jwt-audience" help:"Accept only tokens for this audience (aud)."`
}

// verifier returns a verifier that can also sign.
func (f tokenFlags) verifier() (*auth.Verifier, error) {
	if f.JWTSecret == "" {
		return nil, errors.New("there is no key to sign tokens with; set MARCADOR_JWT_SECRET, or --jwt-secret, to the secret of the service")
	}
	return f.verifierWith(auth.Options{})
}

// verifierWith returns a verifier of the options and the flags.
func (f tokenFlags) verifierWith(opts auth.Options) (*auth.Verifier, error) {
	if n := len(f.JWTSecret); n > 0 && n < auth.MinSecret {
		return nil, fmt.Errorf("--jwt-secret has %d bytes; it needs %d or more", n, auth.MinSecret)
	}
	if opts.JWKS != "" && f.JWTAudience == "" {
		opts.Log.Warn("tokens that the login service signs for other services are accepted here too; set --jwt-audience to its name for this service", "jwks", opts.JWKS)
	}
	opts.Secret, opts.Issuer, opts.Audience = []byte(f.JWTSecret), f.JWTIssuer, f.JWTAudience
	v, err := auth.NewVerifier(opts)
	if errors.Is(err, auth.ErrNoKeys) {
		return nil, fmt.Errorf("%w; set MARCADOR_JWT_SECRET, or --jwt-secret, to %d bytes or more (openssl rand -hex 32 makes one), or give public keys with --jwks-url or --jwt-public-key", err, auth.MinSecret)
	}
	return v, err
}

// keyFlags name the public keys of services that sign tokens elsewhere.
type keyFlags struct {
	JWKSURL      string `name:"jwks-url" help:"Address of a JWKS: public keys that verify tokens of RS256, ES256 or EdDSA. It is fetched again as keys change."`
	JWTPublicKey string `name:"jwt-public-key" help:"PEM file of public keys, or certificates, that verify tokens of RS256, ES256 or EdDSA."`
}

// maxKeyFile is how many bytes of the file are read at most.
const maxKeyFile = 1 << 20

// options reads the keys. Its errors name the flag and the file.
func (f keyFlags) options(log *slog.Logger) (auth.Options, error) {
	opts := auth.Options{JWKS: f.JWKSURL, Log: log}
	if f.JWKSURL != "" {
		if err := auth.CheckJWKS(f.JWKSURL); err != nil {
			return opts, fmt.Errorf("--jwks-url: %w", err)
		}
	}
	if f.JWTPublicKey == "" {
		return opts, nil
	}
	file, err := os.Open(f.JWTPublicKey)
	if err != nil {
		return opts, fmt.Errorf("--jwt-public-key: %w", err)
	}
	defer func() { _ = file.Close() }() // the file was only read
	opts.PublicPEM, err = io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err == nil {
		err = auth.CheckPEM(opts.PublicPEM)
	}
	if err != nil {
		return opts, fmt.Errorf("--jwt-public-key %q: %w", f.JWTPublicKey, err)
	}
	return opts, nil
}

// keepFresh starts fetching the verifier's keys again and again, until stop is called.
func keepFresh(ctx context.Context, v *auth.Verifier) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// tokenCommand signs a token.
type tokenCommand struct {
	Sub   string        `required:"" help:"User id."`
	Email string        `help:"E-mail address."`
	Name  string        `help:"Name."`
	Scope string        `help:"Scopes, which allow more than reading, separated by spaces: xp:write, users:write, admin."`
	TTL   time.Duration `default:"1h" name:"ttl" help:"How long the token is valid."`

	tokenFlags
}

// Run implements the command.
func (c *tokenCommand) Run(out output) error {
	verifier, err := c.verifier()
	if err != nil {
		return err
	}
	sub, fault := validate.ID(c.Sub)
	if fault != "" {
		return fmt.Errorf("--sub %s", fault)
	}
	caller := auth.Caller{UserID: sub, Email: c.Email, Name: c.Name, Scopes: strings.Fields(c.Scope)}
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
