// Package settings fills a struct from environment variables, and describes
// the variables for --help and for the tables in Markdown files.
//
// A setting is a struct field:
//
//	type Config struct {
//		Listen string        `env:"LISTEN" envDefault:":8080" desc:"address of the client doors"`
//		Idle   time.Duration `env:"IDLE" envDefault:"45s" desc:"silence after which a client is gone"`
//		Secret string        `env:"SECRET,required,file" secret:"true" desc:"path of the file with the signing key"`
//		NATS   natsbus.Config
//		Limits Limits `envPrefix:"LIMIT_"`
//	}
//
// The tags env, envDefault, envPrefix and envSeparator and the options
// required, notEmpty, file, unset and expand are those of caarlos0/env; desc
// and secret are this package's. With file, the variable is the path of a file
// with the value, whose final line breaks don't count. Types are those of caarlos0/env and every
// [encoding.TextUnmarshaler]; for amounts of bytes there is [Size].
//
// Structs without an env tag are groups of settings, to any depth. Pointers
// to structs and lists of structs are not supported.
package settings
