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

// tokenFlags say how tokens are signed and which are good.
type tokenFlags struct {
	JWTSecret   string `name:"jwt-secret" help:"HS256 key that tokens are signed with, 32 bytes or more. Better in the environment than here."`
	JWTIssuer   string `name:"jwt-issuer" help:"Issuer (iss) that tokens must have."`
	JWTAudience string `name:"jwt-audience" help:"Audience (aud) that tokens must have."`
}

// verifier returns one that signs, too.
func (f tokenFlags) verifier() (*auth.Verifier, error) {
	if f.JWTSecret == "" {
		return nil, errors.New("there is no key to sign tokens with; set MARCADOR_JWT_SECRET, or --jwt-secret, to that of the service")
	}
	return f.verifierWith(auth.Options{})
}

// verifierWith adds what the flags say to the options.
func (f tokenFlags) verifierWith(opts auth.Options) (*auth.Verifier, error) {
	if n := len(f.JWTSecret); n > 0 && n < auth.MinSecret {
		return nil, fmt.Errorf("--jwt-secret has %d bytes; it needs %d or more", n, auth.MinSecret)
	}
	if opts.JWKS != "" && f.JWTAudience == "" {
		opts.Log.Warn("tokens that the login has made for other services are good here too; set --jwt-audience to what it calls this one", "jwks", opts.JWKS)
	}
	opts.Secret, opts.Issuer, opts.Audience = []byte(f.JWTSecret), f.JWTIssuer, f.JWTAudience
	v, err := auth.NewVerifier(opts)
	if errors.Is(err, auth.ErrNoKeys) {
		return nil, fmt.Errorf("%w; set MARCADOR_JWT_SECRET, or --jwt-secret, to %d bytes or more (openssl rand -hex 32 makes one), or give public keys with --jwks-url or --jwt-public-key", err, auth.MinSecret)
	}
	return v, err
}

// keyFlags name the public keys of who signs tokens elsewhere.
type keyFlags struct {
	JWKSURL      string `name:"jwks-url" help:"Address of a JWKS, the public keys that tokens are signed with in RS256, ES256 or EdDSA; kept fresh."`
	JWTPublicKey string `name:"jwt-public-key" help:"PEM file of public keys, or certificates, that tokens are signed with in RS256, ES256 or EdDSA."`
}

// maxKeyFile bounds what is read of the file, in bytes.
const maxKeyFile = 1 << 20

// options reads the keys. Its errors name flag and file.
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
	defer func() { _ = file.Close() }() // it was only read
	opts.PublicPEM, err = io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err == nil {
		err = auth.CheckPEM(opts.PublicPEM)
	}
	if err != nil {
		return opts, fmt.Errorf("--jwt-public-key %q: %w", f.JWTPublicKey, err)
	}
	return opts, nil
}

// keepFresh begins to keep the verifier's keys fresh; what it returns ends that.
func keepFresh(ctx context.Context, v *auth.Verifier) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { v.Run(ctx) })
	return func() { cancel(); kept.Wait() }
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
