// Package token checks and makes the JSON Web Tokens (RFC 7519) that say who may connect, and what they may do there.
//
// Three kinds of keys are taken: a secret that the makers of tokens share with us (HS256), public keys in a PEM file, and a
// JSON Web Key Set (RFC 7517) at a URL (both RS256, ES256 or EdDSA). A token is checked with keys of its own algorithm's kind
// only, so that a public key can never pass for a secret.
package token
