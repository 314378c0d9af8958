// Package auth turns a token into a caller and their rights.
//
// # Tokens
//
// A token is a JWT (RFC 7519) that a login service has signed. [Verifier.Verify] accepts it if
//
//   - one of the verifier's keys for the token's algorithm made the signature: HS256 with a shared
//     secret, or RS256, ES256 or EdDSA with a public key. A key belongs to one algorithm. The token
//     only chooses between keys, so "alg":"none", or an HMAC made with a public key, verifies
//     against nothing
//   - it has an exp that is not over, and a sub
//   - its nbf and iat, if it has them, are not in the future. All times may be wrong by 30 s
//   - its iss and aud are the ones that [Options] require, if they require any
//   - it is no longer than 8 KiB, and a JWT to the letter: base64url without padding, valid UTF-8,
//     no name twice in an object, no critical extension, no other typ than that of an access token
//
// Nothing in the claims is read before the signature is verified. Keys that a token brings along or
// points to (jwk, jku, x5c, x5u) are ignored.
//
// # Callers
//
// A [Caller] is the user in sub, with their e-mail and name, and the scopes in the claim scope,
// which are separated by spaces. [Caller.May] asks for a scope; admin includes all of them. The id
// in sub is brought into its canonical form, as package validate does with every id, unless the
// database already has it to the letter; see [Options.Known].
//
// # Keys
//
// Keys come from up to three sources, all at once if need be:
//
//	Options.Secret     a secret of 32 bytes or more, which can also sign (Verifier.Sign)
//	Options.PublicPEM  up to 8 public keys or certificates, in PEM blocks
//	Options.JWKS       the address of a JSON Web Key Set, which Verifier.Run keeps fresh
//
// A key set is fetched again when its Cache-Control says that it is no longer fresh, after five
// minutes at the earliest and a day at the latest. If that fails, the keys stay as they are, so a
// login service that is down locks nobody out. A token that names a key which the set lacks causes
// a fetch, at most once in 30 s, and waits for it for up to 5 s. If the set can't be fetched then,
// or never was, the error is [ErrUnavailable]: the token may be good, and its bearer should try
// again.
//
// # Errors
//
// An error that wraps [ErrInvalidToken] says why the token is refused. It quotes nothing from the
// token and fits into the error_description of RFC 6750, so it may be shown to the caller.
//
// # Cost
//
// HS256 takes a few microseconds. The signature of a public key takes many times as long, so good
// tokens are remembered, up to 8,192 of them, until they expire or their key leaves the set.
//
// # Requests
//
// [TokenOf] finds the token of an HTTP request, and [SessionCookie] makes the cookie in which a
// browser keeps it.
package auth
