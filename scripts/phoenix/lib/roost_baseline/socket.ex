defmodule RoostBaseline.Socket do
  @moduledoc "Lets everybody in."

  use Phoenix.Socket

  channel "room:*", RoostBaseline.RoomChannel

  @impl true
  def connect(_params, socket, _info), do: {:ok, socket}

  @impl true
  def id(_socket), do: nil
end
