package script

import _ "embed" // of the schema

// Schema is the JSON schema of scenario files, for editors.
//
//go:embed schema.json
var Schema []byte
