"""What flows and questions share: the target, clients, the archive, answers, the clean-up."""
