import Config

config :phoenix, :json_library, Jason
config :logger, level: :error
