defmodule RoostBaseline.Endpoint do
  @moduledoc "Sockets at /socket. HTTP requests are not answered otherwise."

  use Phoenix.Endpoint, otp_app: :roost_baseline

  socket "/socket", RoostBaseline.Socket
end
