defmodule RoostBaseline.MixProject do
  use Mix.Project

  def project do
    [
      app: :roost_baseline,
      version: "0.1.0",
      elixir: "~> 1.15",
      start_permanent: Mix.env() == :prod,
      deps: direct() ++ indirect(),
      releases: [roost_baseline: [include_executables_for: [:unix]]]
    ]
  end

  def application do
    [mod: {RoostBaseline.Application, []}, extra_applications: [:logger]]
  end

  defp direct do
    [
      {:phoenix, "1.8.12"},
      {:bandit, "1.12.5"},
      {:plug_cowboy, "2.7.5"},
      {:jason, "1.4.5"}
    ]
  end

  # What those need, here in place of a mix.lock: figures are of these versions.
  defp indirect do
    [
      {:cowboy, "2.17.0"},
      {:cowboy_telemetry, "0.4.0"},
      {:cowlib, "2.18.0"},
      {:hpax, "1.0.4"},
      {:mime, "2.0.7"},
      {:phoenix_pubsub, "2.2.0"},
      {:phoenix_template, "1.0.4"},
      {:plug, "1.19.2"},
      {:plug_crypto, "2.2.0"},
      {:ranch, "1.8.1"},
      {:telemetry, "1.4.1"},
      {:thousand_island, "1.5.0"},
      {:websock, "0.5.3"},
      {:websock_adapter, "0.6.0"}
    ]
  end
end
