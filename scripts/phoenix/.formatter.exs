[import_deps: [:phoenix, :plug], inputs: ["{mix,.formatter}.exs", "{config,lib}/**/*.{ex,exs}"]]
