# An Action Cable chat as its users write it, without the rest of Rails: one of two processes.
#
#     REDIS_URL=… COLOUR=blue puma -b tcp://127.0.0.1:PORT tests/support/cable.ru
require "json"
require "logger"
require "action_cable"

class ChatChannel < ActionCable::Channel::Base
  def subscribed
    return reject if params["room"] == "closed"
    stream_from "chat_#{params["room"]}"
    transmit({ "hello" => ENV["COLOUR"] })
  end

  def speak(data)
    ActionCable.server.broadcast("chat_#{params["room"]}", { "id" => data["id"] })
  end
end

ActionCable.server.config.tap do |config|
  config.cable = { "adapter" => "redis", "url" => ENV["REDIS_URL"] }
  config.logger = Logger.new($stderr, level: Logger::ERROR)
  config.disable_request_forgery_protection = true
end

map("/cable") { run ActionCable.server }
run ->(env) { [200, { "Content-Type" => "application/json" }, [ENV["COLOUR"].to_json]] }
